"""Survivors as one list of columns per block of rows: what the gather-offset product reads.

    y[block * block_rows + r, p] = sum over j in starts[block]..starts[block + 1] of values[j, r] * x[columns[j], p]

block_rows = 1 is the unstructured list (CSR with the values' rows). A dense matrix needs its columns only once: the shared form.
"""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class BlockRows:
    """A matrix [rows, columns of one group], packed; arrays are read-only.

    values: float32 [blocks, block_rows]. columns: int32 [blocks], ascending within a block of rows; shared form: int32 [matrix_columns],
    the same list for every block of rows. starts: int32 [row_blocks + 1], where each block of rows begins in `values`.
    Rows of a group that do not divide by `block_rows` are followed by `padding` zero rows, so no block straddles two groups.
    Columns count within the row's own group: tap * in_channels_of_a_group + in_channel.
    """

    values: np.ndarray
    columns: np.ndarray
    starts: np.ndarray
    rows: int
    matrix_columns: int
    groups: int
    shared: bool

    def __post_init__(self):
        assert self.values.dtype == np.float32 and self.columns.dtype == self.starts.dtype == np.int32
        assert self.rows % self.groups == 0 and self.row_blocks * self.block_rows == self.rows + self.groups * self.padding, (self.rows, self.groups)
        assert self.starts[0] == 0 and self.starts[-1] == len(self.values) and (np.diff(self.starts) >= 0).all()
        assert len(self.columns) == (self.matrix_columns if self.shared else len(self.values))
        assert not len(self.columns) or 0 <= self.columns.min() <= self.columns.max() < self.matrix_columns
        for array in (self.values, self.columns, self.starts):
            array.setflags(write=False)

    @property
    def block_rows(self) -> int:
        return self.values.shape[1]

    @property
    def row_blocks(self) -> int:
        return len(self.starts) - 1

    @property
    def row_block(self) -> np.ndarray:
        """int [blocks]: the block of rows that each entry of `values` is of."""
        return np.repeat(np.arange(self.row_blocks), np.diff(self.starts))

    @property
    def padding(self) -> int:
        """Zero rows behind each group's last row."""
        return -(self.rows // self.groups) % self.block_rows


def pack(matrix: np.ndarray, mask: np.ndarray | None, block_rows: int, groups: int = 1) -> BlockRows:
    """matrix [rows, columns of one group] -> BlockRows; what the mask [rows, columns] drops must be zero already.

    A column is stored for a block of rows when any of its rows keeps it, so a mask finer than the blocks packs too.
    mask None packs every weight, zeros included, in the shared form.
    """
    tiled = _tile(matrix.astype(np.float32), block_rows, groups)
    row_blocks, _, columns = tiled.shape
    if mask is None:
        values, listed, lengths = tiled.transpose(0, 2, 1).reshape(-1, block_rows), np.arange(columns), np.full(row_blocks, columns)
    else:
        assert not matrix[~mask].any(), "the mask drops weights that are not zero"
        kept = _tile(mask, block_rows, groups).any(axis=1)
        block, listed = np.nonzero(kept)
        values, lengths = tiled[block, :, listed], kept.sum(axis=1)
    starts = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
    return BlockRows(np.ascontiguousarray(values), listed.astype(np.int32), starts, matrix.shape[0], columns, groups, mask is None)


def unpack(packed: BlockRows) -> np.ndarray:
    """The exact float32 matrix [rows, columns] that `pack` was given."""
    block = packed.row_block
    columns = np.tile(packed.columns, packed.row_blocks) if packed.shared else packed.columns
    tiled = np.zeros((packed.row_blocks, packed.block_rows, packed.matrix_columns), np.float32)
    tiled[block, :, columns] = packed.values
    per_group = tiled.reshape(packed.groups, -1, packed.matrix_columns)
    return per_group[:, : packed.rows // packed.groups].reshape(packed.rows, packed.matrix_columns)


def _tile(matrix: np.ndarray, block_rows: int, groups: int) -> np.ndarray:
    """[rows, columns] -> [row_blocks, block_rows, columns], each group's rows padded with zeros to whole blocks."""
    per_group = matrix.reshape(groups, matrix.shape[0] // groups, matrix.shape[1])
    padding = -per_group.shape[1] % block_rows
    return np.pad(per_group, ((0, 0), (0, padding), (0, 0))).reshape(-1, block_rows, matrix.shape[1])
