"""Rows of a table by index."""

import numpy as np
import pytest

from spcompile.kernels.cpu.gather import Gather

TABLE = np.random.default_rng(0).standard_normal((7, 5)).astype(np.float32)


@pytest.mark.parametrize("dtype", ["int64", "int32"])
def test_rows(call_kernels, target, dtype):
    """Row-major and transposed results; an index that is a window on a larger one."""
    index = np.array([[3, -1, 99, 0], [6, -7, 99, 2], [1, 1, 99, -2]], dtype)
    plain, transposed, window = (np.full(n, np.nan, np.float32) for n in (60, 60, 33))
    calls = [
        (Gather(((12, 1),), 5, 7, (5, 1), dtype), [TABLE, index, plain]),
        (Gather(((3, 4), (2, 1)), 5, 7, (1, 6), dtype), [TABLE, index, transposed]),
        (Gather(((3, 4),), 5, 7, (11, 2), dtype), [TABLE, (index, 1), (window, 1)]),
    ]
    (_, _, plain), (_, _, transposed), (_, _, window) = call_kernels(calls, target, threads=2)
    found = plain.reshape(3, 4, 5)
    np.testing.assert_array_equal(found[:, [0, 1, 3]], TABLE[index[:, [0, 1, 3]]])
    np.testing.assert_array_equal(transposed[:30].reshape(5, 6).T, TABLE[index[:, :2].ravel()])
    np.testing.assert_array_equal(window[1:].reshape(-1)[np.add.outer(np.arange(3) * 11, np.arange(5) * 2)], TABLE[index[:, 1]])
    assert np.isnan(transposed[30:]).all() and np.isnan(window[0]) and np.isnan(window[2])


def test_strips_of_columns(call_kernels, target):
    """The last one moved back; rows of the result next to each other."""
    table, index = np.random.default_rng(1).standard_normal((9, 150)).astype(np.float32), np.array([8, 0, 3])
    ((_, _, y),) = call_kernels([(Gather(((3, 1),), 150, 9, (1, 3)), [table, index, np.full(450, np.nan, np.float32)])], target, threads=2)
    np.testing.assert_array_equal(y.reshape(150, 3).T, table[index])


def test_an_index_beyond_the_table_stays_inside_it(call_kernels, target):
    index, y = np.array([7, 1 << 40, -8, -(1 << 40)]), np.full(20, np.nan, np.float32)
    ((_, _, y),) = call_kernels([(Gather(((4, 1),), 5, 7, (5, 1)), [TABLE, index, y])], target)
    np.testing.assert_array_equal(y.reshape(4, 5), TABLE[[6, 6, 0, 0]])
