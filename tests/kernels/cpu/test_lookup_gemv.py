"""The sparse product on one position that looks x up in registers."""

import numpy as np
import pytest

from spcompile.formats.block_rows import pack
from spcompile.formats.lookup_steps import cut
from spcompile.kernels.cpu.lookup_gemv import LANES, REGISTERS, ROWS, LookupGemv
from spcompile.kernels.expression import ACCUMULATOR, operand
from spcompile.kernels.operand import Operand
from spcompile.lowering.lists import sparse_lists
from spcompile.targets import load_target
from tests.kernels.cpu.results import check

pytestmark = pytest.mark.needs_avx512


def case(rows, registers, out_rows, columns, density, rng, epilogue=ACCUMULATOR, operands=(), tensors=()):
    """Some rows are empty, y's rows lie two numbers apart with NaN between them, NaN lies behind x; -> (call, the product in float64)."""
    matrix = np.where(rng.random((out_rows, columns)) < density, rng.standard_normal((out_rows, columns)), 0).astype(np.float32)
    matrix[rows : 2 * rows] = 0
    x = np.pad(rng.standard_normal(columns).astype(np.float32), (0, 64), constant_values=np.nan)
    kernel = LookupGemv(out_rows, columns, rows, registers, 2, int((matrix != 0).sum()), epilogue, operands)
    values, places, bases, starts = sparse_lists(kernel, matrix, np.arange(columns)[None], columns)
    lists = [np.append(values, np.float32(0)), places.view(np.uint8), bases.view(np.int16), starts]
    return (kernel, [x, *lists, np.full((out_rows, 2), np.nan, np.float32), *tensors]), matrix.astype(np.float64) @ x[:columns, None].astype(np.float64)


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("rows", ROWS)
def test_product(call_kernels, rows, threads):
    rng = np.random.default_rng(rows)
    shapes = [(registers, columns, density) for registers in REGISTERS for columns in (16 * registers, 16 * registers + 37) for density in (0.1, 0.6, 1.0)]
    cases = [case(rows, registers, 6 * rows, columns, density, rng) for registers, columns, density in shapes]
    calls = call_kernels([call for call, _ in cases], load_target("x86-avx512"), threads)
    for (_, expected), arrays, shape in zip(cases, calls, shapes, strict=True):
        check(arrays[5], expected, shape)


def test_epilogue_reads_by_row(call_kernels):
    rng = np.random.default_rng(0)
    bias = rng.standard_normal(16).astype(np.float32)
    call, product = case(4, 2, 16, 50, 0.3, rng, ("relu", ("add", operand(0), operand(1))), (Operand(1, 0),), (bias,))
    ((*_, y, _),) = call_kernels([call], load_target("x86-avx512"))
    check(y, np.maximum(product + bias[:, None], 0))


def test_windows_lie_inside_x():
    with pytest.raises(AssertionError):
        LookupGemv(4, 31, 4, 2, 1, 10)


@pytest.mark.parametrize(("rows", "registers", "density"), [(1, 8, 0.2), (1, 4, 0.2), (1, 2, 0.5), (4, 2, 0.2), (8, 2, 0.2), (2, 4, 0.05)])
def test_expected_steps_are_those_of_random_weights(rows, registers, density):
    kept = np.random.default_rng(0).random((256 // rows, 2048)) < density
    matrix = np.repeat(kept, rows, axis=0).astype(np.float32)
    kernel = LookupGemv(256, 2048, rows, registers, 1, int(kept.sum()))
    steps = cut(pack(matrix, matrix != 0, rows), kernel.per_step, kernel.window, LANES)
    assert kernel.steps == pytest.approx(steps.starts[-1], rel=0.08)
