"""The sparse product whose loads begin where registers do, against numpy in float64."""

import numpy as np
import pytest

from spcompile.kernels.cpu.aligned_spmm import AlignedSpmm
from spcompile.kernels.cpu.offset_spmm import OffsetSpmm
from spcompile.kernels.cpu.reach import Reach
from spcompile.kernels.expression import ACCUMULATOR, operand
from spcompile.kernels.operand import Operand
from tests.kernels.cpu.results import check

ROWS, COLUMNS = 5, 23
BEHIND = 32  # elements of x after what offsets reach, and of y after its last position
CASES = [  # registers, lanes, positions, where offsets begin in a register, ranges of columns, positions outermost
    (4, 16, 64, (15, 1, 0), 1, True),
    (4, 16, 80, (15, 1, 0), 2, True),
    (5, 16, 83, (15, 14, 9, 8, 7, 2, 1, 0), 4, True),
    (6, 16, 200, (9,), 2, True),
    (7, 16, 112, (15,), 1, False),
    (8, 16, 300, (8, 0), 1, False),
    (14, 16, 224, tuple(range(15, -1, -1)), 2, True),
    (4, 8, 33, (7, 1, 0), 2, True),
    (13, 8, 211, tuple(range(7, -1, -1)), 1, False),
]


def case(registers, lanes, positions, residues, depths, outer, rng, scattered=False, epilogue=ACCUMULATOR, operands=(), tensors=()):
    """Columns begin anywhere in x -> (call, where y is in it, the result in float64). Nobody may use what lies behind them, which is NaN."""
    offsets = lanes * rng.integers(0, 6, COLUMNS) + rng.choice(residues, COLUMNS)
    offsets[: len(residues)] = lanes + np.array(residues)
    reached = int(offsets.max()) + positions
    x = np.append(rng.standard_normal(reached), np.full(BEHIND, np.nan)).astype(np.float32)
    kept = rng.random((ROWS, COLUMNS)) < 0.4
    kept[-1] = False
    matrix = np.where(kept, rng.standard_normal(kept.shape), 0).astype(np.float32)
    row, column = np.nonzero(kept)
    residue = offsets[column] % lanes
    place = (column * depths // COLUMNS * ROWS + row) * len(residues) + np.searchsorted(-np.array(residues), -residue)
    order = np.argsort(place, kind="stable")
    starts = np.searchsorted(place[order], np.arange(depths * ROWS * len(residues) + 1)).astype(np.int32)
    kernel = AlignedSpmm(
        ROWS, positions, 1, registers, lanes, positions + BEHIND, len(row), x.size, Reach(1, x.size, 3, 3, 0), epilogue, operands, False, outer, depths,
        scattered, residues=residues,
    )  # fmt: skip
    y = np.full((ROWS, positions + BEHIND), np.nan, np.float32)
    lists = [matrix[row, column][order], (offsets[column] - residue)[order].astype(np.int32), starts]
    if scattered:
        row_of = rng.permutation(ROWS).astype(np.int32)
        tensors, matrix = (*tensors, row_of), matrix[np.argsort(row_of)]
    read = np.stack([x[at : at + positions] for at in offsets]).astype(np.float64)
    return (kernel, [x, *lists, y, *tensors]), matrix.astype(np.float64) @ read


@pytest.mark.parametrize("scattered", [False, True])
def test_product(call_kernels, target, scattered):
    rng = np.random.default_rng(1)
    cases = [case(*parts, rng, scattered) for parts in CASES]
    for parts, (_, expected), arrays in zip(CASES, cases, call_kernels([call for call, _ in cases], target), strict=True):
        check(arrays[4], expected, parts)


def test_product_of_two_threads(call_kernels, target):
    rng = np.random.default_rng(2)
    parts = [(4, 16, 256, (15, 1, 0), 2, True), (4, 16, 200, (15, 1), 1, True), (4, 8, 200, (7, 1), 1, False)]
    cases = [case(*each, rng) for each in parts]
    for each, (_, expected), arrays in zip(parts, cases, call_kernels([call for call, _ in cases], target, threads=2), strict=True):
        check(arrays[4], expected, each)


def test_epilogue(call_kernels, target):
    rng = np.random.default_rng(3)
    positions = 90
    bias, residual = (rng.standard_normal(shape).astype(np.float32) for shape in ((ROWS,), (ROWS, positions)))
    epilogue = ("relu", ("add", ("add", operand(0), operand(1)), operand(2)))
    call, product = case(4, 16, positions, (15, 1, 0), 2, True, rng, False, epilogue, (Operand(1, 0), Operand(positions, 1)), (bias, residual))
    check(call_kernels([call], target)[0][4], np.maximum(product + bias[:, None] + residual, 0), "bias and residual")


def test_loads_cross_no_line_and_each_group_is_a_loop():
    parts = (64, 512, 1, 8, 16, 512, 1000, 64 * 512, Reach(64, 512, 3, 3, 30))
    anywhere, aligned = OffsetSpmm(*parts), AlignedSpmm(*parts, residues=(15, 1, 0))
    assert anywhere.work().crossing > 0 == aligned.work().crossing
    assert aligned.work().loops == 3 * anywhere.work().loops and aligned.work().macs == anywhere.work().macs
    assert aligned.work().fma == pytest.approx(anywhere.work().fma * (1 + 2 / 3 / 8)), "one register more where sums begin inside a line"


WRONG = ({"residues": ()}, {"residues": (0, 1)}, {"residues": (16, 0)}, {"lanes": 4}, {"vectors": 2}, {"rows": 2}, {"shared_list": True})


@pytest.mark.parametrize("wrong", WRONG, ids=str)
def test_what_it_cannot_do(wrong):
    parts = {"rows": 1, "vectors": 4, "lanes": 16, "residues": (1, 0), "shared_list": False} | wrong
    with pytest.raises(AssertionError):
        AlignedSpmm(out_rows=4, positions=96, y_row_stride=96, blocks=20, x_footprint=1024, reach=Reach(1, 64, 3, 3, 8), **parts)
