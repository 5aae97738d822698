"""2:4 as the sparse tensor cores read it: the two kept numbers of every four, and a word a lane that says which two.

PTX ISA 8.7, section 9.7.14.6 (mma.sp), m16n8k32 with 16-bit floats: the packed half of A lies in registers as the dense A of m16n8k16; of the
metadata, lanes 4 g + 0 and 4 g + 1 (selector 0) or 4 g + 2 and 4 g + 3 (selector 1) hold columns 0-15 and 16-31, each word row g in its low
half and row g + 8 in its high half, two bits a kept number, ascending.
"""

from dataclasses import dataclass

import numpy as np

ROWS, COLUMNS = 16, 64  # of the piece that one word a lane describes: two instructions' worth of columns, selectors 0 and 1
LANES = 32


@dataclass(frozen=True, eq=False)
class TwoOfFour:
    """A matrix [rows, columns] padded with zeros to whole pieces of 16 x 64; arrays are read-only.

    values: [padded rows, padded columns / 2], any dtype. metadata: uint32 [padded rows / 16, padded columns / 64, 32 lanes].
    """

    values: np.ndarray
    metadata: np.ndarray
    rows: int
    columns: int

    def __post_init__(self):
        pieces = -(-self.rows // ROWS), -(-self.columns // COLUMNS)
        assert self.values.shape == (pieces[0] * ROWS, pieces[1] * COLUMNS // 2), self.values.shape
        assert self.metadata.shape == (*pieces, LANES) and self.metadata.dtype == np.uint32, self.metadata.shape
        for array in (self.values, self.metadata):
            array.setflags(write=False)


def pack(matrix: np.ndarray) -> TwoOfFour:
    """matrix [rows, columns], at most two numbers that are not zero in every four neighbouring columns -> TwoOfFour, exact."""
    rows, columns = matrix.shape
    padded = np.pad(matrix, ((0, -rows % ROWS), (0, -columns % COLUMNS)))
    fours = padded.reshape(len(padded), -1, 4)
    assert (np.count_nonzero(fours, axis=2) <= 2).all(), "more than two of four neighbours are not zero"
    # Numbers that are not zero first, in a stable order; where there are fewer than two, zeros fill up.
    kept = np.sort(np.argsort(fours == 0, axis=2, kind="stable")[:, :, :2], axis=2)
    values = np.take_along_axis(fours, kept, axis=2).reshape(len(padded), -1)
    return TwoOfFour(np.ascontiguousarray(values), _words(kept), rows, columns)


def unpack(packed: TwoOfFour) -> np.ndarray:
    """The exact matrix [rows, columns] that `pack` was given."""
    pieces = packed.metadata.shape[:2]
    halves = packed.metadata.reshape(*pieces, 8, 4).astype(np.uint32)  # [.., g, quarter of the columns]
    words = np.stack([halves & 0xFFFF, halves >> 16], axis=2).transpose(0, 2, 3, 1, 4)  # [row piece, half, g, column piece, quarter]
    bits = words[..., None] >> (2 * np.arange(8, dtype=np.uint32)) & 3
    kept = bits.reshape(len(packed.values), -1, 2).astype(np.int64)
    fours = np.zeros((*kept.shape[:2], 4), packed.values.dtype)
    np.put_along_axis(fours, kept, packed.values.reshape(kept.shape), axis=2)
    return fours.reshape(len(packed.values), -1)[: packed.rows, : packed.columns]


def _words(kept: np.ndarray) -> np.ndarray:
    """kept [rows, columns / 4, 2], ascending places -> uint32 [rows / 16, columns / 64, 32]."""
    nibbles = kept[:, :, 0] | kept[:, :, 1] << 2
    quarters = nibbles.reshape(len(kept) // ROWS, 2, 8, -1, 4, 4)  # [row piece, half, g, column piece, quarter, four]
    halves = (quarters << (4 * np.arange(4))).sum(axis=-1)
    words = halves[:, 0] | halves[:, 1] << 16  # [row piece, g, column piece, quarter]
    return np.ascontiguousarray(words.transpose(0, 2, 1, 3).reshape(words.shape[0], words.shape[2], LANES).astype(np.uint32))
