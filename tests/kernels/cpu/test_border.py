"""Filling what surrounds images."""

import numpy as np
import pytest

from spcompile.kernels.cpu.border import Border

CASES = [  # channels, height, width, pitch, elements behind the last row, elements in front, fill
    (1, 1, 1, 1, 0, 0, 0.0),
    (3, 4, 5, 7, 9, 8, 0.0),
    (2, 1, 6, 6, 16, 16, -3.4028234663852886e38),
    (4, 3, 1, 4, 0, 4, 0.5),
    (2, 5, 7, 8, 3, 0, 0.0),
]


@pytest.mark.parametrize("columns", [True, False])
def test_inside_stays_and_border_is_filled(call_kernels, target, columns):
    """Without columns, what a channel's rows span is left alone: a kernel has masked it."""
    calls = []
    for channels, height, width, pitch, behind, front, fill in CASES:
        stride = height * pitch + behind
        y = np.full(front + channels * stride, np.nan, np.float32)
        inside = y[front:].reshape(channels, stride)[:, : height * pitch].reshape(channels, height, pitch)[:, :, :width]
        inside[...] = np.arange(inside.size).reshape(inside.shape)
        calls.append((Border(channels, stride, front, height, width, pitch, height * pitch, columns, fill), [y]))
    for (channels, height, width, pitch, _, front, fill), (found,) in zip(CASES, call_kernels(calls, target), strict=True):
        np.testing.assert_array_equal(found[:front], np.float32(fill))
        image = found[front:].reshape(channels, -1)
        rows = image[:, : height * pitch].reshape(channels, height, pitch)
        np.testing.assert_array_equal(rows[:, :, :width].ravel(), np.arange(channels * height * width))
        np.testing.assert_array_equal(image[:, height * pitch :], np.float32(fill))
        between = rows[:, :, width:]
        assert (between == np.float32(fill)).all() if columns else np.isnan(between).all()


def test_each_border_column_touches_a_line_of_its_own():
    wide, narrow = Border(2, 56 * 57, 0, 56, 56, 57, 56 * 57, True), Border(2, 7 * 8, 0, 7, 7, 8, 7 * 8, True)
    assert wide.work().streams[0].bytes_moved == 2 * 56 * 64
    assert narrow.work().streams[0].bytes_moved == 2 * 7 * 8 * 4, "all lines there are"
