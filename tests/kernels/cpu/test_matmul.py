"""Products of two activations."""

import numpy as np
import pytest

from spcompile.kernels.cpu.matmul import Matmul
from spcompile.kernels.expression import ACCUMULATOR, operand
from spcompile.kernels.operand import Operand

CASES = [  # batch, m, n, k, rows, vectors, lanes
    (1, 1, 1, 1, 1, 1, 1),
    (2, 3, 7, 5, 3, 1, 4),
    (1, 7, 17, 16, 1, 2, 8),
    (3, 16, 33, 1, 8, 2, 8),
    (2, 15, 31, 64, 5, 3, 8),
    (1, 6, 64, 15, 6, 4, 8),
]


def case(batch, m, n, k, rows, vectors, lanes, transposed, rng, epilogue=ACCUMULATOR, operands=(), tensors=()):
    """x and y are apart from their neighbours by NaN; a may lie transposed."""
    a = rng.standard_normal((batch, k, m) if transposed else (batch, m, k)).astype(np.float32)
    x = np.pad(rng.standard_normal((batch, k, n)).astype(np.float32), ((0, 0), (0, 0), (0, 3)), constant_values=np.nan)
    y = np.full((batch, m, n + 2), np.nan, np.float32)
    a_strides = (m * k, 1, m) if transposed else (m * k, k, 1)
    kernel = Matmul(batch, m, n, k, a_strides, (k * (n + 3), n + 3), (m * (n + 2), n + 2), rows, vectors, lanes, epilogue, operands)
    left = a.transpose(0, 2, 1) if transposed else a
    return (kernel, [a, x, y, *tensors]), left.astype(np.float64) @ x[:, :, :n].astype(np.float64)


def check(y, expected) -> None:
    batch, m, n = expected.shape
    y = y.reshape(batch, m, n + 2)
    np.testing.assert_allclose(y[:, :, :n], expected, rtol=0, atol=2e-6 * max(1, np.abs(expected).max()))
    assert np.isnan(y[:, :, n:]).all()


@pytest.mark.parametrize(("transposed", "threads"), [(False, 1), (True, 2)])
def test_product(call_kernels, target, transposed, threads):
    rng = np.random.default_rng(0)
    cases = [case(*shape, transposed, rng) for shape in CASES]
    for (_, expected), (_, _, y) in zip(cases, call_kernels([call for call, _ in cases], target, threads), strict=True):
        check(y, expected)


def test_epilogue_adds_a_mask_of_each_batch(call_kernels, target):
    rng = np.random.default_rng(0)
    mask, scale = rng.standard_normal((2, 9)).astype(np.float32), rng.standard_normal((2, 4, 9)).astype(np.float32)
    epilogue = ("mul", ("add", operand(0), operand(1)), operand(2))
    call, product = case(2, 4, 9, 5, 4, 1, 8, False, rng, epilogue, (Operand(0, 1, 9), Operand(9, 1, 36)), (mask, scale))
    ((_, _, y, _, _),) = call_kernels([call], target)
    check(y, (product + mask[:, None]) * scale)


def test_tiles_must_fit():
    with pytest.raises(AssertionError):
        Matmul(1, 3, 8, 2, (6, 2, 1), (16, 8), (24, 8), 2, 1, 8)
    with pytest.raises(AssertionError):
        Matmul(1, 2, 7, 2, (6, 2, 1), (16, 8), (24, 8), 2, 1, 8)
