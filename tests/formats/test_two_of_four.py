"""The packed form against PTX ISA 8.7, section 9.7.14.6.2.3 (fragments of sparse m16n8k32 with .f16 and .bf16), read anew lane by lane."""

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spcompile.formats.two_of_four import TwoOfFour, pack, unpack
from spcompile.patterns import parse

DTYPES = (np.float16, ml_dtypes.bfloat16, np.float32)


def sparse(rows: int, columns: int, seed: int = 0, dtype=np.float16) -> np.ndarray:
    """At most two of four; some fours keep one or none."""
    rng = np.random.default_rng(seed)
    matrix = rng.standard_normal((rows, columns)).astype(np.float32)
    mask = parse("2:4").mask(rng.random((rows, columns)), 0.5) & (rng.random((rows, columns)) < 0.9)
    return np.where(mask, matrix, 0).astype(dtype)


def of_instruction(packed: TwoOfFour, piece: tuple[int, int], selector: int) -> np.ndarray:
    """The matrix [16, 32] that one mma.sp sees, rebuilt from what its lanes hold, by the specification's tables.

    Lane = 4 * group + thread. Fragment of A: register r holds packed columns 2 * thread, + 1 (+ 8 for r = 2, 3) of row group (+ 8 for r = 1, 3).
    Those stand for two of the four columns 4 * thread (+ 16 for r = 2, 3) onwards. The places are two bits each in the metadata of lane
    4 * group + 2 * selector (columns 0-15) or that + 1 (columns 16-31): bits 0-15 of row group, bits 16-31 of row group + 8.
    """
    tile = packed.values[16 * piece[0] :, 32 * piece[1] + 16 * selector :][:16, :16]
    words = packed.metadata[piece]
    found = np.zeros((16, 32), packed.values.dtype)
    for lane in range(32):
        group, thread = divmod(lane, 4)
        for register in range(4):
            row, half = group + 8 * (register & 1), register >> 1
            word = int(words[4 * group + 2 * selector + half])
            for number in range(2):
                place = word >> (16 * (register & 1) + 4 * thread + 2 * number) & 3
                found[row, 16 * half + 4 * thread + place] += tile[row, 8 * half + 2 * thread + number]
    return found


@pytest.mark.parametrize("dtype", DTYPES)
def test_every_lane_holds_what_the_specification_says(dtype):
    matrix = sparse(40, 200, dtype=dtype)
    packed, whole = pack(matrix), np.pad(matrix, ((0, 8), (0, 56)))
    for row, column in np.ndindex(packed.metadata.shape[:2]):
        for selector in (0, 1):
            first = 64 * column + 32 * selector
            np.testing.assert_array_equal(of_instruction(packed, (row, column), selector), whole[16 * row :][:16, first : first + 32])


def test_a_word_bit_by_bit():
    """Row 3 keeps columns 1, 3 of its second four; row 11, eight below, columns 0, 2 of its first; all else is zero and says 0, 1."""
    matrix = np.zeros((16, 64), np.float16)
    matrix[3, [5, 7]], matrix[11, [0, 2]] = (1, 2), (3, 4)
    words = pack(matrix).metadata[0, 0]
    empty = 0b0100_0100_0100_0100  # places 0 and 1, the second in the higher bits
    assert words[4 * 3] == (0b0100_0100_0100_1000 << 16 | 0b0100_0100_1101_0100)
    assert all(word == empty << 16 | empty for lane, word in enumerate(words) if lane != 12)


@given(rows=st.integers(1, 50), fours=st.integers(1, 50), seed=st.integers(0, 100))
def test_unpack_inverts_pack(rows, fours, seed):
    matrix = sparse(rows, 4 * fours, seed)
    packed = pack(matrix)
    np.testing.assert_array_equal(unpack(packed), matrix)


@given(seed=st.integers(0, 100))
def test_places_ascend_in_every_word(seed):
    """Equal places would be undefined behaviour, descending ones break mma.sp::ordered_metadata."""
    words = pack(sparse(32, 128, seed)).metadata
    nibbles = words[..., None] >> np.arange(0, 32, 4, dtype=np.uint32) & 15
    assert ((nibbles & 3) < (nibbles >> 2)).all()


def test_three_of_four_are_refused():
    with pytest.raises(AssertionError, match="more than two of four"):
        pack(np.ones((16, 64), np.float16))


def test_arrays_cannot_be_written():
    packed = pack(sparse(16, 64))
    with pytest.raises(ValueError, match="read-only"):
        packed.values[0, 0] = 1
