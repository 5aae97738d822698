"""What a product left in memory, against the result in float64."""

import numpy as np


def check(y: np.ndarray, expected: np.ndarray, what: object = "") -> None:
    """y: flat, its rows longer than those of `expected` [rows, positions]: what lies behind them was NaN and belongs to nobody."""
    y = y.reshape(len(expected), -1)
    np.testing.assert_allclose(y[:, : expected.shape[1]], expected, rtol=0, atol=2e-6 * np.abs(expected).max(), err_msg=str(what))
    assert np.isnan(y[:, expected.shape[1] :]).all(), what
