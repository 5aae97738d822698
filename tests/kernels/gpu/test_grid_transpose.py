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
