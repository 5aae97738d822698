import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spcompile.formats.grouped import Grouped, pack, place_bits


@given(rows=st.integers(1, 9), columns=st.integers(1, 70), of=st.sampled_from([1, 2, 4, 8, 16, 32]), density=st.floats(0, 1), seed=st.integers(0, 999))
def test_unpacking_gives_the_matrix_back(rows, columns, of, density, seed):
    rng = np.random.default_rng(seed)
    matrix = (rng.integers(-128, 128, (rows, columns)) * (rng.random((rows, columns)) < density)).astype(np.int8)
    packed = pack(matrix, of)
    np.testing.assert_array_equal(packed.unpack(), matrix)
    assert packed.values.shape[:2] == (rows, -(-columns // of)) and 1 <= packed.slots <= of
    assert np.count_nonzero(packed.values) == np.count_nonzero(matrix)


def test_the_fullest_group_sets_the_slots_and_more_may_be_asked_for():
    matrix = np.array([[1, 0, 0, 2, 0, 0, 0, 3]], np.int8)
    assert pack(matrix, 4).slots == 2 and pack(matrix, 4, 3).slots == 3
    assert pack(matrix, 4).values.tolist() == [[[1, 2], [3, 0]]] and pack(matrix, 4).places.tolist() == [[[0, 3], [3, 0]]]
    with pytest.raises(AssertionError, match="1 slots, but a group keeps 2"):
        pack(matrix, 4, 1)


@pytest.mark.parametrize(("of", "bits"), [(1, 0), (2, 1), (4, 2), (8, 3), (32, 5)])
def test_bits_of_a_place(of, bits):
    assert place_bits(of) == bits


def test_places_lie_inside_their_group():
    with pytest.raises(AssertionError, match="outside its group"):
        Grouped(np.ones((1, 1, 1)), np.full((1, 1, 1), 4, np.uint8), 4, 4)
