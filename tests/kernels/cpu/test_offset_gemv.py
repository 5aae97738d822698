"""The sparse product with rows in the lanes, for few positions."""

import numpy as np
import pytest

from spcompile.formats.block_rows import pack
from spcompile.kernels.cpu.offset_gemv import NARROW, OffsetGemv
from spcompile.kernels.expression import ACCUMULATOR, operand
from spcompile.kernels.operand import Operand
from tests.kernels.cpu.results import check

SHAPES = (  # rows in a block, rows, columns, positions, dense
    (1, 1, 1, 1, False),
    (1, 5, 33, 3, False),
    (2, 6, 7, 1, False),
    (3, 9, 16, 2, False),
    (4, 8, 31, 8, False),
    (8, 16, 15, 5, False),
    (16, 48, 64, 1, False),
    (16, 32, 17, 3, True),
    (32, 64, 33, 1, True),
    (64, 64, 3, 7, True),
)


def case(rows, out_rows, columns, positions, dense, rng, epilogue=ACCUMULATOR, operands=(), tensors=(), between=2):
    """x and y [rows or columns, positions] with NaN beside them, x's rows `between` numbers apart; -> (call, the product in float64)."""
    matrix = np.where(rng.random((out_rows, columns)) < (1 if dense else 0.3), rng.standard_normal((out_rows, columns)), 0).astype(np.float32)
    x = np.pad(rng.standard_normal((columns, positions)).astype(np.float32), ((0, 0), (0, between)), constant_values=np.nan)
    y = np.full((out_rows, positions + 1), np.nan, np.float32)
    lists = pack(matrix, None if dense else matrix != 0, rows)
    values, offsets = np.append(lists.values.ravel(), np.float32(0)), np.append(lists.columns * (positions + between), 0)
    blocks = out_rows // rows * columns if dense else len(lists.values)
    kernel = OffsetGemv(out_rows, positions, rows, 8, 1, positions + 1, 1, blocks, x.size, epilogue, operands, dense)
    offsets = offsets.astype(np.int16 if kernel.narrow else np.int32)
    return (kernel, [x, values, offsets, lists.starts, y, *tensors]), matrix.astype(np.float64) @ x[:, :positions].astype(np.float64)


@pytest.mark.parametrize("threads", [1, 2])
def test_product(call_kernels, target, threads):
    rng = np.random.default_rng(threads)
    cases = [case(*shape, rng) for shape in SHAPES[threads - 1 :: threads]]
    for (_, expected), arrays in zip(cases, call_kernels([call for call, _ in cases], target, threads), strict=True):
        check(arrays[4], expected)


def test_offsets_that_two_bytes_do_not_hold(call_kernels, target):
    rng = np.random.default_rng(2)
    call, expected = case(4, 8, 40, 1, False, rng, between=NARROW // 38)
    assert not call[0].narrow and call[1][2].max() >= NARROW
    ((*_, y),) = call_kernels([call], target)
    check(y, expected)


def test_only_long_lists_of_narrow_blocks_ask_ahead():
    assert OffsetGemv(64, 1, 4, 16, 1, 1, 1, 1 << 17, 4096).lines_ahead and not OffsetGemv(64, 1, 4, 16, 1, 1, 1, 1 << 12, 4096).lines_ahead
    assert not OffsetGemv(64, 1, 16, 16, 1, 1, 1, 1 << 17, 4096).lines_ahead


def test_epilogue_reads_by_row_and_by_position(call_kernels, target):
    rng = np.random.default_rng(0)
    bias, residual = rng.standard_normal(16).astype(np.float32), rng.standard_normal((3, 16)).astype(np.float32)
    epilogue = ("relu", ("add", ("add", operand(0), operand(1)), operand(2)))
    call, product = case(8, 16, 9, 3, False, rng, epilogue, (Operand(1, 0), Operand(1, 16)), (bias, residual))
    ((*_, y, _, _),) = call_kernels([call], target)
    check(y, np.maximum(product + bias[:, None] + residual.T, 0))


def test_rows_come_in_whole_blocks():
    with pytest.raises(AssertionError):
        OffsetGemv(10, 1, 4, 8, 1, 1, 1, 4, 4)
