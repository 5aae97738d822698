"""The product of single weights of several rows at a time, against numpy in float64."""

import numpy as np
import pytest

from spcompile.kernels.cpu.offset_spmm import OffsetSpmm
from spcompile.kernels.cpu.reach import Reach
from spcompile.kernels.cpu.subset_spmm import SubsetSpmm
from spcompile.kernels.expression import ACCUMULATOR, operand
from spcompile.kernels.operand import Operand
from spcompile.lowering.lists import sparse_lists
from tests.kernels.cpu.results import check

COLUMNS, GAP = 23, 11  # elements behind every row of x and y, which are nobody's
CASES = [  # rows of a block, registers, positions in registers (a fraction: not whole), ranges of columns, positions outermost
    (2, 1, 1, 1, True),
    (2, 3, 3.4, 2, True),
    (2, 5, 14, 4, True),
    (2, 4, 11, 1, False),
    (4, 1, 2.9, 1, False),
    (4, 2, 5, 2, True),
    (4, 3, 3, 1, True),
    (4, 2, 4.5, 4, True),
]


def case(rows, vectors, registers, depths, outer, lanes, rng, scattered=False, kept=0.5, epilogue=ACCUMULATOR, operands=(), tensors=()):
    """-> (call, where y is in it, the result in float64). The last block of rows is empty, and the one before it full."""
    out_rows, positions = 5 * rows, round(registers * lanes)
    mask = rng.random((out_rows, COLUMNS)) < kept
    mask[-rows:], mask[-2 * rows : -rows] = False, True
    matrix = np.where(mask, rng.standard_normal(mask.shape), 0).astype(np.float32)
    x = np.pad(rng.standard_normal((COLUMNS, positions)).astype(np.float32), ((0, 0), (0, GAP)), constant_values=np.nan)
    y = np.full((out_rows, positions + GAP), np.nan, np.float32)
    blocks = int(mask.reshape(5, rows, COLUMNS).any(axis=1).sum())
    kernel = SubsetSpmm(
        out_rows, positions, rows, vectors, lanes, positions + GAP, blocks, x.size, Reach(COLUMNS, positions + GAP, 1, 1, 0), epilogue, operands, False,
        outer, depths, scattered, weights=int(mask.sum()),
    )  # fmt: skip
    lists = sparse_lists(kernel, matrix, np.arange(COLUMNS, dtype=np.int32)[None] * (positions + GAP), COLUMNS)
    if scattered:
        row_of = rng.permutation(out_rows).astype(np.int32)
        tensors, matrix = (*tensors, row_of), matrix[np.argsort(row_of)]
    return (kernel, [x, *lists, y, *tensors]), matrix.astype(np.float64) @ x[:, :positions].astype(np.float64)


@pytest.mark.parametrize("scattered", [False, True])
def test_product(call_kernels, target, scattered):
    rng = np.random.default_rng(1)
    cases = [case(*parts, target.lanes_fp32, rng, scattered) for parts in CASES]
    for parts, (_, expected), arrays in zip(CASES, cases, call_kernels([call for call, _ in cases], target), strict=True):
        check(arrays[4], expected, parts)


def test_product_of_two_threads(call_kernels, target):
    rng = np.random.default_rng(2)
    parts = [(4, 2, 5, 2, True), (2, 3, 7, 1, False)]
    cases = [case(*each, target.lanes_fp32, rng) for each in parts]
    for each, (_, expected), arrays in zip(parts, cases, call_kernels([call for call, _ in cases], target, threads=2), strict=True):
        check(arrays[4], expected, each)


def test_epilogue(call_kernels, target):
    rng = np.random.default_rng(3)
    positions = round(3.5 * target.lanes_fp32)
    bias, residual = (rng.standard_normal(shape).astype(np.float32) for shape in ((20,), (20, positions)))
    epilogue = ("relu", ("add", ("add", operand(0), operand(1)), operand(2)))
    operands = (Operand(1, 0), Operand(positions, 1))
    call, product = case(4, 2, 3.5, 2, True, target.lanes_fp32, rng, epilogue=epilogue, operands=operands, tensors=(bias, residual))
    check(call_kernels([call], target)[0][4], np.maximum(product + bias[:, None] + residual, 0), "bias and residual")


def test_a_register_of_x_serves_several_rows():
    """Of four rows that keep half of their weights, 15 of 16 columns are read, for two rows in the mean."""
    parts, columns = (64, 224, 1, 5, 16, 224), 512
    one = OffsetSpmm(*parts, 64 * columns // 2, 1 << 17, Reach(columns, 224, 1, 1, 16)).work()
    four = SubsetSpmm(64, 224, 4, 5, 16, 224, 16 * columns * 15 // 16, 1 << 17, Reach(columns, 224, 1, 1, 16), weights=64 * columns // 2).work()
    assert four.fma == one.fma and four.macs == one.macs and four.broadcasts == one.broadcasts
    assert four.loads == pytest.approx(one.loads * 15 / 32)
    assert four.used_once == pytest.approx(four.loads * 4 / 15), "columns of one row"


WRONG = ({"rows": 1}, {"rows": 8}, {"shared_list": True}, {"weights": 19}, {"weights": 41})


@pytest.mark.parametrize("wrong", WRONG, ids=str)
def test_what_it_cannot_do(wrong):
    parts = {"rows": 2, "weights": 30, "shared_list": False} | wrong
    with pytest.raises(AssertionError):
        SubsetSpmm(out_rows=8, positions=96, vectors=4, lanes=16, y_row_stride=96, blocks=20, x_footprint=1024, reach=Reach(4, 64, 3, 3, 8), **parts)
