from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spcompile.accelerator.packing import pack_places, pack_tile, unpack_places, unpack_tile
from spcompile.costs.fpga.cycles import lanes_used
from spcompile.targets import load_target

ARRAY = replace(load_target("sat-vcu1525"), array_rows=4, array_lanes=6, window_columns=64)


@given(columns=st.integers(1, 90), of=st.sampled_from([1, 2, 4, 8, 32]), density=st.floats(0.05, 1), spare=st.integers(0, 2), seed=st.integers(0, 99))
def test_what_is_packed_is_unpacked(columns, of, density, spare, seed):
    rng = np.random.default_rng(seed)
    matrix = (rng.integers(-127, 128, (3, columns)) * (rng.random((3, columns)) < density)).astype(np.int8)
    padded = np.pad(matrix != 0, ((0, 0), (0, -columns % of)))
    slots = min(of, max(1, int(padded.reshape(3, -1, of).sum(axis=2).max())) + spare)
    values, places = pack_tile(matrix, of, slots, ARRAY)
    assert values.shape == places.shape and values.shape[1:] == (4, lanes_used(of, slots, ARRAY))
    np.testing.assert_array_equal(unpack_tile(values, places, of, slots, columns, ARRAY)[:3], matrix)
    np.testing.assert_array_equal(unpack_places(pack_places(places, of), places.size, of), places.ravel())


@pytest.mark.parametrize(("of", "size"), [(1, 0), (2, 2), (4, 3), (8, 4), (32, 7)])
def test_places_take_as_few_bits_as_tell_them(of, size):
    assert len(pack_places(np.zeros(10, np.uint8), of)) == size
