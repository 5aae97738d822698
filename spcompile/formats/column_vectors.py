"""Survivors as vectors of eight neighbouring rows in one column, sixteen vectors a step: what a tensor-core product gathers its inputs by.

Vectors of so many rows fill one side of an instruction, as in vectorSparse (Chen et al. 2021, "Efficient Tensor Core-Based GPU Kernels for Structured
Sparsity under Reduced Precision"); the other side is gathered from inputs that lie in shared memory, `REACH` columns of them at a time.
"""

from dataclasses import dataclass

import numpy as np

ROWS = 8  # of a vector: a band
BANDS = 16  # of a tile
SLOTS = 16  # vectors of a step: the columns of one instruction
REACH = 128  # columns that are within reach at a time
LANES = 32
STEP_WORDS = 2 * LANES + SLOTS  # 32-bit words of a step: two registers of weights for every lane, and the columns


@dataclass(frozen=True, eq=False)
class ColumnVectors:
    """A matrix [rows, columns], packed; arrays are read-only.

    values: [steps, 8 rows, 16 slots], any dtype, zeros where a list ends inside a step. places: uint32 [steps, 16], each slot's column within reach.
    starts: uint32, the first step of every (tile of 16 bands, reach of columns, band), in that order, and their end.
    """

    values: np.ndarray
    places: np.ndarray
    starts: np.ndarray
    rows: int
    columns: int

    def __post_init__(self):
        tiles, reaches = -(-self.rows // (ROWS * BANDS)), -(-self.columns // REACH)
        assert self.values.shape == (len(self.places), ROWS, SLOTS) and self.places.shape[1] == SLOTS, self.values.shape
        assert len(self.starts) == tiles * reaches * BANDS + 1 and self.starts[-1] == len(self.values), self.starts
        for array in (self.values, self.places, self.starts):
            array.setflags(write=False)

    @property
    def density(self) -> float:
        """Share of the matrix that is multiplied, zeros within vectors and behind lists included."""
        return self.values.size / (self.rows * self.columns)

    @property
    def most_steps(self) -> int:
        """Of a tile within one reach."""
        return int(np.diff(self.starts[::BANDS].astype(np.int64)).max())

    def words(self, halves: np.ndarray) -> np.ndarray:
        """uint32 [steps, 80]: the second operand of mma.m16n8k16 (PTX ISA 8.7, section 9.7.14.5.8), register by register, lane by lane, then the places.

        halves: `values` rounded to 16 bits, as uint16. Register r of lane 4 g + t holds slots 8 r + 2 t and the next of row g, the first in its low half.
        """
        pairs = np.ascontiguousarray(halves).view(np.uint32).reshape(-1, ROWS, 2, 4)  # [step, g, r, t]
        return np.concatenate([pairs.transpose(0, 2, 1, 3).reshape(-1, 2 * LANES), self.places], axis=1)


def pack(matrix: np.ndarray) -> ColumnVectors:
    """matrix [rows, columns] -> ColumnVectors, exact. Within a reach columns come in an order in which eight neighbours seldom share their last three bits:
    these choose the banks of shared memory where inputs lie."""
    rows, columns = matrix.shape
    padded = np.pad(matrix, ((0, -rows % (ROWS * BANDS)), (0, -columns % REACH)))
    bands = padded.reshape(-1, BANDS, ROWS, padded.shape[1] // REACH, REACH).transpose(0, 3, 1, 2, 4)  # [tile, reach, band, row, column]
    bands = np.ascontiguousarray(bands).reshape(-1, ROWS, REACH)
    kept = (bands != 0).any(axis=1)
    counts = -(-kept.sum(axis=1) // SLOTS)
    starts = np.concatenate([[0], np.cumsum(counts)])
    values, places = np.zeros((starts[-1] * SLOTS, ROWS), matrix.dtype), np.zeros(starts[-1] * SLOTS, np.uint32)
    for band in np.flatnonzero(counts):
        found = _over_banks(np.flatnonzero(kept[band]))
        slots = slice(starts[band] * SLOTS, starts[band] * SLOTS + len(found))
        values[slots], places[slots] = bands[band][:, found].T, found
    values = np.ascontiguousarray(values.reshape(-1, SLOTS, ROWS).transpose(0, 2, 1))
    return ColumnVectors(values, places.reshape(-1, SLOTS), starts.astype(np.uint32), rows, columns)


def _over_banks(columns: np.ndarray) -> np.ndarray:
    """Ascending columns in an order that goes round and round their last three bits."""
    by_bank = np.argsort(columns % 8, kind="stable")
    banks = columns[by_bank] % 8
    turn = np.empty(len(columns), np.int64)
    turn[by_bank] = np.arange(len(columns)) - np.searchsorted(banks, banks)
    return columns[np.lexsort((columns % 8, turn))]


def unpack(packed: ColumnVectors) -> np.ndarray:
    """The exact matrix [rows, columns] that `pack` was given."""
    reaches = -(-packed.columns // REACH)
    bands = np.zeros((len(packed.starts) - 1, ROWS, REACH), packed.values.dtype)
    for band, (first, last) in enumerate(zip(packed.starts[:-1], packed.starts[1:], strict=True)):
        for step in range(int(first), int(last)):
            np.add.at(bands[band].T, packed.places[step], packed.values[step].T)  # slots that are not used add zeros to column 0
    whole = bands.reshape(-1, reaches, BANDS, ROWS, REACH).transpose(0, 2, 3, 1, 4).reshape(-1, reaches * REACH)
    return whole[: packed.rows, : packed.columns]
