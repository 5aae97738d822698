"""What tiles take of L1, against the sets that their lines fall into."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spcompile.kernels.cpu.reach import LINE, WAY, Reach


def pointwise(plane_elements: int) -> Reach:
    return Reach(WAY, plane_elements, 1, 1, 0)


@given(st.integers(1, 256), st.integers(1, 16))
def test_crowded_tiles_lie_in_so_much_fewer_sets(plane_lines, tile_lines):
    reach, tile = pointwise(plane_lines * LINE), tile_lines * LINE
    sets = {(plane * plane_lines + line) % (WAY // LINE) for plane in range(WAY // LINE) for line in range(tile_lines)}
    assert reach.crowded(tile) == pytest.approx(WAY // LINE / len(sets))


def test_half_of_a_power_of_two_fills_half_of_the_sets():
    assert pointwise(128).crowded(64) == 2
    assert pointwise(128).crowded(128) == pointwise(208).crowded(64) == 1
