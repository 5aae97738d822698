import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spcompile.formats import BlockRows, pack, unpack


def random_matrix(seed, rows, columns, density):
    """A matrix with a tenth of zeros among its kept weights, and its mask."""
    rng = np.random.default_rng(seed)
    mask = rng.random((rows, columns)) < density
    return np.where(mask & (rng.random((rows, columns)) < 0.9), rng.standard_normal((rows, columns)), 0).astype(np.float32), mask


def test_blocks_of_two_rows_spelled_out():
    matrix = np.array([[1, 0, 0], [2, 3, 0], [0, 0, 0], [0, 0, 4], [5, 0, 0]], np.float32)
    packed = pack(matrix, matrix != 0, block_rows=2)
    np.testing.assert_array_equal(packed.values, [[1, 2], [0, 3], [0, 4], [5, 0]])
    np.testing.assert_array_equal(packed.columns, [0, 1, 2, 0])
    np.testing.assert_array_equal(packed.starts, [0, 2, 3, 4])
    assert (packed.rows, packed.padding, packed.shared) == (5, 1, False)


def test_the_shared_form_lists_columns_once_and_keeps_zeros():
    matrix = np.array([[1, 0], [2, 3], [4, 5]], np.float32)
    packed = pack(matrix, None, block_rows=2)
    np.testing.assert_array_equal(packed.values, [[1, 2], [0, 3], [4, 0], [5, 0]])
    np.testing.assert_array_equal(packed.columns, [0, 1])
    np.testing.assert_array_equal(packed.starts, [0, 2, 4])
    assert packed.shared


@given(
    groups=st.integers(1, 3),
    rows=st.integers(1, 13),
    columns=st.integers(1, 20),
    block_rows=st.sampled_from([1, 2, 3, 4, 8, 16]),
    density=st.sampled_from([0.0, 0.1, 0.5, 1.0]),
    dense=st.booleans(),
    seed=st.integers(0, 2**32 - 1),
)
def test_unpack_inverts_pack_and_the_lists_multiply(groups, rows, columns, block_rows, density, dense, seed):
    matrix, mask = random_matrix(seed, rows * groups, columns, density)
    packed = pack(matrix, None if dense else mask, block_rows, groups)
    np.testing.assert_array_equal(unpack(packed), matrix)
    x = np.random.default_rng(seed).integers(-4, 5, (groups, columns, 3)).astype(np.float64)
    np.testing.assert_allclose(multiply(packed, x), (matrix.reshape(groups, rows, columns) @ x).reshape(-1, 3), atol=1e-12)


def multiply(packed: BlockRows, x: np.ndarray) -> np.ndarray:
    """The product of the module's docstring in plain loops: x [groups, columns, positions] -> [rows, positions]."""
    y = np.zeros((packed.row_blocks, packed.block_rows, x.shape[2]))
    for block in range(packed.row_blocks):
        group = block // (packed.row_blocks // packed.groups)
        for j in range(packed.starts[block], packed.starts[block + 1]):
            y[block] += np.outer(packed.values[j], x[group, packed.columns[j - packed.starts[block] if packed.shared else j]])
    rows = packed.rows // packed.groups
    return y.reshape(packed.groups, -1, x.shape[2])[:, :rows].reshape(packed.rows, -1)


def test_columns_ascend_within_each_block_of_rows():
    matrix, mask = random_matrix(3, 24, 50, 0.3)
    packed = pack(matrix, mask, 4)
    for start, end in zip(packed.starts, packed.starts[1:], strict=False):
        assert (np.diff(packed.columns[start:end]) > 0).all()


def test_arrays_are_read_only():
    packed = pack(np.ones((2, 2), np.float32), None, 1)
    with pytest.raises(ValueError, match="read-only"):
        packed.values[0] = 0


def test_dropping_a_weight_that_is_not_zero_is_our_mistake():
    with pytest.raises(AssertionError, match="not zero"):
        pack(np.ones((2, 2), np.float32), np.eye(2, dtype=bool), 1)


def test_lists_that_point_outside_the_matrix_cannot_be_made():
    values, starts = np.ones((1, 1), np.float32), np.array([0, 1], np.int32)
    with pytest.raises(AssertionError):
        BlockRows(values, np.array([3], np.int32), starts, rows=1, matrix_columns=3, groups=1, shared=False)
