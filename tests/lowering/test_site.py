"""Where a layer runs: the kernels offered are right for it."""

import numpy as np
import pytest

from spcompile.formats.block_rows import pack
from spcompile.formats.lookup_steps import cut
from spcompile.kernels.cpu.lookup_gemv import LANES, MOST_COLUMNS, LookupGemv
from spcompile.kernels.cpu.offset_gemm import OffsetGemm
from spcompile.kernels.cpu.offset_spmm import OffsetSpmm
from spcompile.kernels.cpu.reach import Reach
from spcompile.kernels.expression import ACCUMULATOR
from spcompile.lowering.site import Site
from spcompile.targets import load_target


@pytest.mark.parametrize(("columns", "offered"), [(MOST_COLUMNS, True), (MOST_COLUMNS + 1, False)])
def test_looked_up_is_what_two_bytes_reach(columns, offered):
    site = Site(16, columns, 1, 1, (1, 1, 1), 1, 1, 1, columns, Reach(columns, 1, 1, 1, 1), ACCUMULATOR, ())
    kernels = [k for k in site.kernels(4, 1000, load_target("x86-avx512"), 1, False) if isinstance(k, LookupGemv)]
    assert bool(kernels) == offered
    if offered:
        matrix = np.zeros((16, columns), np.float32)
        matrix[:, [0, -1]] = 1
        cut(pack(matrix, matrix != 0, 4), kernels[0].per_step, kernels[0].window, LANES)


@pytest.mark.parametrize("kept", [0.5, 1.0])
@pytest.mark.parametrize("rows", [1, 4])
def test_no_two_threads_add_to_the_same_waiting_sums(rows, kept):
    site = Site(64, 576, 1, 51 * 16, (28, 28, 28), 1, 51 * 16, 1, 576 * 784, Reach(64, 784, 3, 3, 30), ACCUMULATOR, (), residues=(15, 1, 0))
    blocks = site.dense_blocks(rows) // 2
    by_ranges = [k for k in site.kernels(rows, blocks, load_target("zen5"), 2, False, int(kept * rows * blocks)) if isinstance(k, OffsetSpmm) and k.depths > 1]
    assert by_ranges
    for kernel in by_ranges:
        assert kernel.registers * kernel.lanes == kernel.positions, kernel


def test_groups_have_no_shared_list():
    """Each group reads other channels."""
    site = Site(12, 18, 2, 64, (8, 8, 8), 1, 64, 1, 36 * 64, Reach(2, 64, 3, 3, 8), ACCUMULATOR, ())
    assert site.formats() == (1, 2) and not site.scatters


@pytest.mark.parametrize(("name", "asking"), [("x86-avx512", True), ("zen4", False)])
def test_dense_products_ask_for_what_l1_does_not_hold_where_the_target_wants_it(name, asking):
    def asks(channels: int) -> set[bool]:
        site = Site(64, channels, 1, 208, (14, 14, 14), 1, 208, 1, channels * 208, Reach(channels, 208, 1, 1, 14), ACCUMULATOR, ())
        kernels = list(site.kernels(None, 0, load_target(name), 1, False))
        return {kernel.x_ahead > 0 for kernel in kernels if isinstance(kernel, OffsetGemm) or (kernel.rows == 8 and kernel.vectors == 3)}

    assert asks(1024) == {asking} and asks(16) == {False}
