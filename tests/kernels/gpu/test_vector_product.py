"""The emitted code of products of vectors of eight rows, run statement by statement, against float64 at sizes that fill no tile."""

import numpy as np
import pytest

from spcompile.formats.column_vectors import pack
from spcompile.kernels.expression import operand
from spcompile.kernels.gpu.vector_code import placed
from spcompile.kernels.gpu.vector_product import TILE_POSITIONS, VectorProduct
from spcompile.kernels.operand import Operand
from tests.formats.test_column_vectors import vectors
from tests.kernels.gpu.simulator import launch
from tests.kernels.gpu.test_mma_product import HALVES, check

BIAS = ("relu", ("add", operand(0), operand(1)))


@pytest.mark.parametrize("stages", [2, 3])
@pytest.mark.parametrize("dtype", HALVES)
@pytest.mark.parametrize(
    ("rows", "positions", "columns", "kept"), [(72, 40, 136, 0.3), (8, 1, 24, 1.0), (64, 128, 128, 0.1), (130, 133, 300, 0.15), (16, 9, 520, 0.0)]
)
def test_products(stages, dtype, rows, positions, columns, kept):
    """Inputs are NaN where they lie beyond the last position, outputs beyond the last row."""
    half, rng = HALVES[dtype], np.random.default_rng(0)
    matrix, bias, residual = vectors(rows, columns, kept, 3, half), rng.standard_normal(rows), rng.standard_normal((positions, rows))
    packed, stride = pack(matrix), -(-positions // 8) * 8
    x = np.full((columns, stride), np.nan, half)
    x[:, :positions] = rng.standard_normal((columns, positions)).astype(half)
    kernel = VectorProduct(
        rows, positions, columns, stride, rows + 3, packed.most_steps, stages, dtype, ("add", BIAS, operand(2)), (Operand(1, 0), Operand(1, rows)),
        ("float32", "float32"),
    )  # fmt: skip
    y = np.full(positions * (rows + 3), np.nan, half)
    words = packed.words(packed.values.view(np.uint16)).ravel()
    launch(kernel.emit(1), words, packed.starts, x.ravel(), y, bias.astype(np.float32), residual.ravel().astype(np.float32))
    y = y.reshape(positions, -1)
    expected = np.maximum(x[:, :positions].astype(np.float64).T @ matrix.astype(np.float64).T + bias, 0) + residual
    check(y[:, :rows], expected, dtype)
    assert np.isnan(y[:, rows:].astype(np.float32)).all(), "the kernel wrote beyond its rows"


def test_eight_columns_of_different_banks_meet_all_of_them():
    for chunk in range(TILE_POSITIONS // 8):
        words = placed(np.array([8, 33, 2, 11, 20, 5, 126, 7]), chunk)
        assert len({(int(word) + part) % 32 for word in words for part in range(4)}) == 32


def test_no_two_chunks_share_a_place():
    rows, chunk = np.divmod(np.arange(128 * 16), 16)
    assert sorted(placed(rows, chunk)) == list(range(0, 128 * 64, 4))
