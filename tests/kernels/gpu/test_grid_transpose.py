"""Axes are exchanged, matrix by matrix."""

import numpy as np
import pytest

from spcompile.kernels.gpu.grid_transpose import GridTranspose
from tests.kernels.gpu.simulator import launch


@pytest.mark.parametrize(("rows", "columns"), [(1, 1), (5, 130), (64, 64), (131, 67)])
def test_axes_are_exchanged(rows, columns):
    """What lies between the end of a row and its stride is neither read nor written."""
    x, y = np.full((rows, columns + 3), np.nan, np.float16), np.full((columns, rows + 5), np.nan, np.float16)
    x[:, :columns] = np.random.default_rng(0).standard_normal((rows, columns))
    launch(GridTranspose(rows, columns, columns + 3, rows + 5, "float16").emit(1), y.reshape(-1), x.reshape(-1))
    np.testing.assert_array_equal(y[:, :rows], x[:, :columns].T)
    assert np.isnan(y[:, rows:]).all()


def test_matrices_of_a_batch_within_a_batch():
    """As the heads of sequences lie: [sequence, token, head, column] -> [sequence, head, column, token]."""
    x = np.random.default_rng(0).standard_normal((2, 70, 3, 16)).astype(np.float16)
    y = np.full((2, 3, 16, 72), np.nan, np.float16)
    launch(GridTranspose(70, 16, 48, 72, "float16", 6, 3, (70 * 48, 16)).emit(1), y.reshape(-1), x.reshape(-1))
    np.testing.assert_array_equal(y[..., :70], x.transpose(0, 2, 3, 1))
    assert np.isnan(y[..., 70:]).all()
