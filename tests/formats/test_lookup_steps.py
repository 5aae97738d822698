"""Lists in steps of one window each."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from spcompile.formats.block_rows import pack
from spcompile.formats.lookup_steps import cut


def test_steps_spelled_out():
    """Windows of four columns that begin at multiples of two, two entries a step; the last window ends with the last column."""
    matrix = np.zeros((3, 7), np.float32)
    matrix[0, [1, 2, 3, 6]], matrix[2, [0, 5, 6]] = [1, 2, 3, 4], [5, 6, 7]
    steps = cut(pack(matrix, matrix != 0, 1), per_step=2, window=4, align=2)
    np.testing.assert_array_equal(steps.values[:, :, 0], [[1, 2], [3, 0], [4, 0], [5, 0], [6, 7]])
    np.testing.assert_array_equal(steps.bases, [0, 2, 3, 0, 3])
    np.testing.assert_array_equal(steps.places, [[1, 2], [1, 0], [3, 0], [0, 0], [2, 3]])
    np.testing.assert_array_equal(steps.starts, [0, 3, 3, 5])


def test_nothing_kept_makes_no_steps():
    steps = cut(pack(np.zeros((4, 40), np.float32), np.zeros((4, 40), bool), 2), 8, 32, 16)
    assert steps.values.shape == (0, 8, 2) and steps.starts.tolist() == [0, 0, 0]


@given(st.integers(0, 2**32 - 1), st.sampled_from([1, 2, 4]), st.sampled_from([2, 4, 8, 16]), st.sampled_from([16, 32, 64]), st.floats(0, 1))
def test_every_weight_is_in_one_step_of_its_list(seed, block_rows, per_step, window, density):
    rng = np.random.default_rng(seed)
    rows, columns = block_rows * int(rng.integers(1, 6)), window + int(rng.integers(0, 90))
    matrix = np.where(rng.random((rows, columns)) < density, rng.standard_normal((rows, columns)), 0).astype(np.float32)
    packed = pack(matrix, matrix != 0, block_rows)
    steps = cut(packed, per_step, window, 16)
    assert (steps.bases >= 0).all() and (steps.bases + window <= columns).all() and (steps.places < window).all()
    found = np.zeros((rows // block_rows, columns, block_rows))
    for block in range(rows // block_rows):
        own = slice(steps.starts[block], steps.starts[block + 1])
        np.add.at(found[block], steps.bases[own, None] + steps.places[own].astype(int), steps.values[own])
    np.testing.assert_array_equal(found.transpose(0, 2, 1).reshape(rows, columns), matrix)
