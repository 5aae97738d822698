"""Results written four channels at a time equal those written one by one, and are written so only where everything begins evenly."""

from dataclasses import replace

import numpy as np
import pytest

from spcompile.kernels.expression import operand
from spcompile.kernels.gpu.mma_product import MmaProduct
from spcompile.kernels.gpu.window import Window
from spcompile.kernels.operand import Operand
from tests.kernels.gpu.simulator import launch
from tests.kernels.gpu.test_mma_product import SMALL, SMALL_HOPPER, check

SUM = ("add", ("add", ("add", operand(0), operand(1)), ("mul", operand(2), operand(3))), operand(4))


def kernel(rows: int, y_stride: int, tile=SMALL, residual_stride: int | None = None) -> MmaProduct:
    """Bias, a residual of 16 bits, a mask of positions and an fp32 tensor whose rows lie apart."""
    operands = Operand(1, 0), Operand(1, residual_stride or rows), Operand(0, 1), Operand(37, 1)
    return MmaProduct(
        rows, 37, Window.linear(37, 64, 64), 64, y_stride, tile, "float16", epilogue=SUM, operands=operands,
        operand_dtypes=("float32", "float16", "float32", "float32"), aligned=True,
    )  # fmt: skip


@pytest.mark.parametrize("tile", [SMALL, SMALL_HOPPER], ids=["mma", "wgmma"])
@pytest.mark.parametrize(("rows", "y_stride"), [(72, 72), (72, 80), (72, 75), (70, 72), (4, 4)])
def test_by_fours_or_one_by_one(rows, y_stride, tile):
    of, rng = kernel(rows, y_stride, tile), np.random.default_rng(0)
    weights, x, residual = (rng.standard_normal(shape).astype(np.float16) for shape in ((rows, 64), (37, 64), (37, rows)))
    bias, mask, apart = (rng.standard_normal(shape).astype(np.float32) for shape in ((rows,), (37,), (rows, 37)))
    expected = x.astype(np.float64) @ weights.T.astype(np.float64) + bias + residual * mask[:, None].astype(np.float64) + apart.T
    for each in (of, replace(of, aligned=False)):
        y = np.full(37 * y_stride, np.nan, np.float16)
        launch(each.emit(1), weights.ravel(), x.ravel(), y, bias, residual.ravel(), mask, apart.ravel())
        found = y.reshape(37, y_stride)
        check(found[:, :rows], expected, "float16")
        assert np.isnan(found[:, rows:].astype(np.float32)).all(), "written beyond the rows"


def test_fours_are_used_where_everything_is_even():
    assert "T.ptx.st(" in kernel(72, 72).emit(1).script()
    for odd in (kernel(72, 75), kernel(70, 72), replace(kernel(72, 72), aligned=False)):
        assert "T.ptx.st(" not in odd.emit(1).script()


def test_an_operand_whose_positions_lie_unevenly_is_read_one_by_one():
    assert reads_of_fours(kernel(72, 72)) == reads_of_fours(kernel(72, 72, residual_stride=73)) + 4


def reads_of_fours(of: MmaProduct) -> int:
    """From memory, in the code: four turns' worth of each operand."""
    return sum("T.ptx.ld(" in line and '"global"' in line for line in of.emit(1).script().splitlines())
