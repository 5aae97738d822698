"""Products of matrices that come from memory, whose values are asked for ahead."""

import numpy as np
import pytest

from spcompile.kernels.cpu import streamed
from spcompile.kernels.cpu.streamed import AHEAD, values_ahead
from spcompile.targets import load_target
from tests.kernels.cpu import test_offset_gemm, test_offset_gemv, test_offset_spmm


def gemm(target):
    call, expected, pixels = test_offset_gemm.case(target, (5, 17, 7, 7, 9, 1, 2, 7), np.random.default_rng(0), False)
    return call, lambda y: test_offset_gemm.check(y, expected, pixels, "gemm")


def gemv(target):
    call, expected = test_offset_gemv.case(4, 24, 31, 2, False, np.random.default_rng(0))
    return call, lambda y: test_offset_gemv.check(y, expected)


def spmm(target, rows: int = 4):
    lanes = target.lanes_fp32
    call, expected = test_offset_spmm.case(rows, 2, lanes, 3 * lanes + 1, True, 1, False, np.random.default_rng(0))
    return call, lambda y: test_offset_spmm.check(y, expected, "spmm")


MAKERS = (gemm, gemv, spmm)


@pytest.fixture
def everything_streams(monkeypatch):
    """However small; what is asked for lies far behind the arrays' ends. -> how often each kernel asked before, by maker."""
    asked = {make: prefetches(make(load_target("x86-avx2"))[0][0]) for make in MAKERS}
    for name in ("IN_L2", "LONG"):
        monkeypatch.setattr(streamed, name, 0)
    return asked


def prefetches(kernel) -> int:
    return str(kernel.emit(1)).count("prefetch")


@pytest.mark.parametrize("make", MAKERS)
def test_the_product_is_the_same(everything_streams, call_kernels, target, make):
    call, check = make(target)
    (arrays,) = call_kernels([call], target)
    check(arrays[4])


@pytest.mark.parametrize("make", MAKERS)
def test_values_are_asked_for(everything_streams, make):
    ((kernel, _), _) = make(load_target("x86-avx2"))
    assert prefetches(kernel) > everything_streams[make]


def test_single_rows_do_not_ask(everything_streams, target):
    (kernel, *_), _ = spmm(target, rows=1)
    assert kernel.values_ahead == 0


@pytest.mark.parametrize(("rows", "columns", "ahead"), [(256, 256, AHEAD), (256, 255, 0), (1, 1, 0), (4096, 4096, AHEAD)])
def test_matrices_that_caches_hold_are_left_alone(rows, columns, ahead):
    assert values_ahead(rows, columns) == ahead
