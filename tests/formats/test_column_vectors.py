import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spcompile.formats.column_vectors import BANDS, REACH, ROWS, SLOTS, STEP_WORDS, pack, unpack


def vectors(rows: int, columns: int, kept: float, seed: int, dtype=np.float16) -> np.ndarray:
    """This share of the vectors of eight rows is not zero."""
    rng = np.random.default_rng(seed)
    chosen = np.repeat(rng.random((-(-rows // ROWS), columns)) < kept, ROWS, axis=0)[:rows]
    return np.where(chosen, rng.standard_normal((rows, columns)), 0).astype(dtype)


@given(rows=st.integers(1, 150), columns=st.integers(1, 300), kept=st.sampled_from([0, 0.05, 0.3, 1]), seed=st.integers(0, 50))
def test_unpack_inverts_pack(rows, columns, kept, seed):
    matrix = vectors(rows, columns, kept, seed)
    np.testing.assert_array_equal(unpack(pack(matrix)), matrix)


def test_a_list_ends_within_a_step():
    matrix = np.zeros((ROWS * BANDS, 3 * REACH), np.float16)
    matrix[:ROWS, :17], matrix[ROWS, REACH] = 1, 1
    packed = pack(matrix)
    assert np.diff(packed.starts.astype(int)).tolist() == [2, *[0] * 15, 0, 1, *[0] * 14, *[0] * 16]
    assert packed.most_steps == 2 and packed.density == 3 * SLOTS * ROWS / matrix.size


def test_eight_places_seldom_share_a_bank():
    """A column's last three bits choose the bank: eight neighbours of a list differ in them wherever as many banks are left."""
    packed = pack(vectors(512, 512, 0.25, 0))
    eights = packed.places.reshape(-1, 8) % 8
    used = (packed.values != 0).any(axis=1).reshape(-1, 8).all(axis=1)
    different = np.array([len(set(eight)) for eight in eights[used].tolist()])
    by_chance = 8 * (1 - (7 / 8) ** 8)
    assert different.mean() > 6.5 > by_chance


@pytest.mark.parametrize("half", [np.float16, ml_dtypes.bfloat16])
def test_words_are_the_registers_of_the_second_operand(half):
    """PTX ISA 8.7, 9.7.14.5.8: register r of lane l holds rows 8 r + 2 (l % 4) and the next of the k x n operand, column l / 4."""
    packed = pack(vectors(64, 40, 0.5, 1, half))
    words = packed.words(packed.values.view(np.uint16))
    assert words.shape == (len(packed.values), STEP_WORDS) and words.dtype == np.uint32
    for step, lane, register in np.ndindex(len(words), 32, 2):
        slot = 8 * register + 2 * (lane % 4)
        low, high = packed.values[step, lane // 4, slot : slot + 2].view(np.uint16).astype(np.uint32)
        assert words[step, 32 * register + lane] == low | high << 16
    np.testing.assert_array_equal(words[:, 64:], packed.places)


def test_a_matrix_of_zeros_has_no_steps():
    packed = pack(np.zeros((64, 64), np.float16))
    assert not packed.starts.any() and packed.most_steps == 0 and not unpack(packed).any()
