"""Rows cut into groups of neighbouring columns; of each group the kept weights and their places in it."""

from dataclasses import dataclass

import numpy as np


def place_bits(of: int) -> int:
    """That tell one place in a group of `of`."""
    return (of - 1).bit_length()


@dataclass(frozen=True, eq=False)
class Grouped:
    """values [rows, groups, slots]: kept weights, ascending in place, then zeros; places [rows, groups, slots]: uint8, 0..of-1.

    All groups have the same number of slots: that of the fullest. `of` = 1 is dense: one slot a group, no places to tell.
    """

    values: np.ndarray
    places: np.ndarray
    of: int
    columns: int

    def __post_init__(self):
        assert self.values.shape == self.places.shape and self.values.ndim == 3, (self.values.shape, self.places.shape)
        assert 0 < self.of <= 256 and self.columns <= self.values.shape[1] * self.of, self.of
        assert (self.places < self.of).all(), "a place lies outside its group"

    @property
    def slots(self) -> int:
        return self.values.shape[2]

    def unpack(self) -> np.ndarray:
        """-> the matrix [rows, columns]."""
        rows, groups, _ = self.values.shape
        matrix = np.zeros((rows, groups, self.of), self.values.dtype)
        row, group, slot = np.nonzero(self.values)
        matrix[row, group, self.places[row, group, slot]] = self.values[row, group, slot]
        return matrix.reshape(rows, groups * self.of)[:, : self.columns]


def pack(matrix: np.ndarray, of: int, slots: int | None = None) -> Grouped:
    """A matrix [rows, columns] in groups of `of` columns; the last is filled up with zeros. slots: at least the fullest group's; None: as many."""
    rows, columns = matrix.shape
    groups = -(-columns // of)
    padded = np.zeros((rows, groups * of), matrix.dtype)
    padded[:, :columns] = matrix
    grouped = padded.reshape(rows, groups, of)
    fullest = max(1, int((grouped != 0).sum(axis=2).max(initial=0)))
    assert slots is None or slots >= fullest, f"{slots} slots, but a group keeps {fullest}"
    order = np.argsort(grouped == 0, axis=2, kind="stable")[:, :, : slots or fullest]
    values = np.take_along_axis(grouped, order, axis=2)
    return Grouped(values, np.where(values != 0, order, 0).astype(np.uint8), of, columns)
