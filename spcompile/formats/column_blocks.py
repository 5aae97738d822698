"""Survivors as the blocks of columns that a tile of rows keeps, packed one after another: what a tensor-core product walks over.

Rows are put in an order that lets tiles share blocks, as SMaT does (Okanovic et al. 2024, "High Performance Unstructured SpMM Computation Using Tensor
Cores"): a tile costs the union of what its rows keep.
"""

from dataclasses import dataclass

import numpy as np

STEP = 64  # columns that the product takes at once
BAND = 16  # rows that stay neighbours


@dataclass(frozen=True, eq=False)
class ColumnBlocks:
    """A matrix [rows, columns], packed; arrays are read-only.

    values: [steps, tile_rows, 64], any dtype, zeros where a list ends inside a step. starts: uint32 [tiles + 1], in steps. blocks: uint32
    [steps, 64 / width], which block of `width` columns; one behind the last ends a list. order: uint32 [tiles * tile_rows], the row that
    lies there; `rows` where there is none.
    """

    values: np.ndarray
    starts: np.ndarray
    blocks: np.ndarray
    order: np.ndarray
    rows: int
    columns: int
    width: int

    def __post_init__(self):
        steps, tile_rows, step = self.values.shape
        assert step == STEP and STEP % self.width == 0 and self.blocks.shape == (steps, STEP // self.width), self.blocks.shape
        assert self.starts[-1] == steps and len(self.order) == (len(self.starts) - 1) * tile_rows, self.starts
        for array in (self.values, self.starts, self.blocks, self.order):
            array.setflags(write=False)

    @property
    def density(self) -> float:
        """Share of the matrix that is multiplied, zeros within kept blocks included."""
        return self.values.size / (self.rows * self.columns)

    def together(self, count: int) -> bool:
        """Do `count` rows at a time lie as neighbours, or beyond the last?"""
        runs = self.order.reshape(-1, count).astype(np.int64)
        return bool(((runs == runs[:, :1] + np.arange(count)) & (runs[:, :1] % count == 0) | (runs == self.rows)).all())


def pack(matrix: np.ndarray, tile_rows: int, width: int) -> ColumnBlocks:
    """matrix [rows, columns] -> ColumnBlocks of tiles of `tile_rows` rows and blocks of `width` columns."""
    rows, columns = matrix.shape
    order = _order(matrix != 0, tile_rows, width)
    whole = np.pad(matrix, ((0, 1), (0, -columns % width)))[np.minimum(order, rows)]
    tiles = whole.reshape(-1, tile_rows, whole.shape[1] // width, width)
    kept = (tiles != 0).any(axis=(1, 3))
    counts = -(-kept.sum(axis=1) * width // STEP)
    starts = np.concatenate([[0], np.cumsum(counts)]).astype(np.uint32)
    values = np.zeros((int(starts[-1]), tile_rows, STEP), matrix.dtype)
    blocks = np.full((int(starts[-1]), STEP // width), tiles.shape[2], np.uint32)
    for tile, (first, found) in enumerate(zip(starts, (np.flatnonzero(row) for row in kept), strict=False)):
        for place, block in enumerate(found):
            step, column = int(first) + place * width // STEP, place * width % STEP
            values[step, :, column : column + width] = tiles[tile, :, block]
            blocks[step, place % (STEP // width)] = block
    return ColumnBlocks(values, starts, blocks, order.astype(np.uint32), rows, columns, width)


def unpack(packed: ColumnBlocks) -> np.ndarray:
    """The exact matrix [rows, columns] that `pack` was given."""
    tile_rows, width = packed.values.shape[1], packed.width
    whole = np.zeros((packed.rows + 1, (-(-packed.columns // width) + 1) * width), packed.values.dtype)
    for tile, (first, last) in enumerate(zip(packed.starts[:-1], packed.starts[1:], strict=True)):
        rows = packed.order[tile * tile_rows : (tile + 1) * tile_rows]
        for step in range(int(first), int(last)):
            for place, block in enumerate(packed.blocks[step]):
                whole[rows, int(block) * width : (int(block) + 1) * width] = packed.values[step, :, place * width : (place + 1) * width]
    return whole[: packed.rows, : packed.columns]


def _order(kept: np.ndarray, tile_rows: int, width: int) -> np.ndarray:
    """Rows tile by tile, `rows` beyond the last: empty rows at the end, the others in bands of 16; the fullest band left opens a tile, then come those that
    add the fewest blocks.
    """
    rows = len(kept)
    by_use = np.argsort(~kept.any(axis=1), kind="stable")
    kept, bands = kept[by_use], -(-rows // BAND)
    padded = np.pad(kept, ((0, bands * BAND - rows), (0, -kept.shape[1] % width)))
    blocks = padded.reshape(bands, BAND, -1, width).any(axis=(1, 3))
    left, found = list(range(bands)), []
    while left:
        union = np.zeros(blocks.shape[1], bool)
        for place in range(min(tile_rows // BAND, len(left))):
            added = (blocks[left] & ~union).sum(axis=1)
            chosen = left.pop(int(np.argmin(added) if place else np.argmax(added)))
            union |= blocks[chosen]
            found.append(chosen)
    order = (np.array(found)[:, None] * BAND + np.arange(BAND)).ravel()
    order = np.concatenate([order, np.full(-len(order) % tile_rows, rows)])
    return np.append(by_use, rows)[np.minimum(order, rows)]
