"""Which kernel a layer gets: every layer has one on every device."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spcompile.kernels.cpu.lookup_gemv import LookupGemv
from spcompile.kernels.cpu.offset_gemm import OffsetGemm
from spcompile.kernels.cpu.offset_spmm import OffsetSpmm
from spcompile.kernels.cpu.reach import Reach
from spcompile.kernels.cpu.subset_spmm import SubsetSpmm
from spcompile.kernels.expression import ACCUMULATOR
from spcompile.lowering.choosing import fastest
from spcompile.lowering.site import Site
from spcompile.targets import CPUS, load_target

TARGETS = [load_target(name) for name in CPUS]


@st.composite
def sites(draw):
    """Convolutions (whole registers of positions, groups) and products (any number of positions)."""
    groups = draw(st.sampled_from([1, 1, 2, 3]))
    rows, columns = groups * draw(st.integers(1, 40)), draw(st.integers(1, 600))
    positions = draw(st.one_of(st.integers(1, 40), st.integers(1, 12).map(lambda registers: 16 * registers)))
    if groups > 1:
        positions = -(-positions // 16) * 16
    reach = Reach(columns, positions, 1, 1, positions)
    return Site(rows, columns, groups, positions, (1, positions, positions), 1, positions, 1, columns * positions, reach, ACCUMULATOR, ())


@settings(max_examples=60, deadline=None)
@given(sites(), st.sampled_from(TARGETS), st.sampled_from([1, 4]), st.floats(0, 1))
def test_every_layer_has_a_kernel_on_every_device(site, target, threads, density):
    for scattered in {False, site.scatters}:
        kernel, rows, latency = fastest(site, lambda block: density * site.dense_blocks(block), target, threads, scattered=scattered)
        assert rows in site.formats() and latency.expected_s > 0
        assert kernel.out_rows >= site.rows
        if isinstance(kernel, OffsetGemm):
            assert (kernel.height, kernel.width, kernel.pitch) == site.image
        elif isinstance(kernel, OffsetSpmm) and kernel.beside:
            height, width, pitch = site.image
            assert kernel.positions == (height - 1) * pitch + width - 1
        else:
            assert site.positions == (1 if isinstance(kernel, LookupGemv) else kernel.positions)
        if rows is not None:
            assert kernel.rows == rows and (site.rows // site.groups) % rows == 0
        if isinstance(kernel, OffsetSpmm):
            once = kernel.rows == 1 and target.folds_loads
            read = kernel.rows if isinstance(kernel, SubsetSpmm) else 1 if once else kernel.vectors
            assert kernel.rows * kernel.vectors + read + 1 <= target.vector_registers and kernel.tile <= site.positions
            assert kernel.lanes <= target.lanes_fp32 and kernel.shared_list == (rows is None)


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
def test_fewer_blocks_never_take_longer(target):
    site = Site(64, 576, 1, 784, (28, 28, 28), 1, 784, 1, 576 * 784, Reach(64, 784, 3, 3, 30), ACCUMULATOR, ())
    times_s = [fastest(site, lambda rows, kept=kept: kept * site.dense_blocks(rows), target, 1)[2].expected_s for kept in (1, 0.7, 0.5, 0.3, 0.2, 0.1, 0.05, 0)]
    assert times_s == sorted(times_s, reverse=True)


def test_batches_are_counted():
    site = Site(8, 16, 1, 64, (8, 8, 8), 1, 64, 1, 16 * 64, Reach(16, 64, 1, 1, 8), ACCUMULATOR, ())
    thrice = Site(8, 16, 1, 64, (8, 8, 8), 1, 64, 1, 16 * 64, Reach(16, 64, 1, 1, 8), ACCUMULATOR, (), 3)
    once_s, thrice_s = (fastest(s, site.dense_blocks, TARGETS[0], 1)[2].expected_s for s in (site, thrice))
    assert thrice_s == pytest.approx(3 * once_s)
