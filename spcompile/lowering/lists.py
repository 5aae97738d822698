"""Weights in the order a kernel reads them: values, offsets, and where each list starts."""

import numpy as np

from spcompile.formats.block_rows import BlockRows, pack
from spcompile.formats.lookup_steps import cut
from spcompile.kernels.cpu.aligned_spmm import AlignedSpmm
from spcompile.kernels.cpu.lookup_gemv import LANES, LookupGemv
from spcompile.kernels.cpu.offset_gemm import OffsetGemm
from spcompile.kernels.cpu.offset_gemv import OffsetGemv
from spcompile.kernels.cpu.offset_spmm import OffsetSpmm
from spcompile.kernels.cpu.subset_spmm import SubsetSpmm
from spcompile.kernels.kernel import Kernel


def dense_lists(kernel: Kernel, matrix: np.ndarray, offsets: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """matrix [rows, columns], offsets of x [1, columns] -> float32 values, int32 offsets of one list for all rows, starts."""
    packed = pack(matrix, None, kernel.rows)
    return packed.values.ravel(), _followed(kernel, _narrowed(kernel, offsets[0])), packed.starts


def sparse_lists(kernel: Kernel, matrix: np.ndarray, offsets: np.ndarray, in_channels: int) -> tuple[np.ndarray, ...]:
    """matrix [rows, columns of one group], offsets of x [groups, columns] -> the same of a list for each block of rows."""
    packed = pack(matrix, matrix != 0, kernel.rows, len(offsets))
    row_block = packed.row_block
    listed = offsets[row_block * packed.groups // packed.row_blocks, packed.columns]
    if isinstance(kernel, LookupGemv):
        return _lookup_steps(kernel, packed)
    if not isinstance(kernel, OffsetSpmm):
        return packed.values.ravel(), _narrowed(kernel, listed), packed.starts
    if isinstance(kernel, SubsetSpmm):
        return _subset_lists(kernel, packed, row_block, listed, in_channels)
    part, parts, listed = _part(kernel, packed, row_block, listed, in_channels)
    lengths = np.bincount(part, minlength=parts)
    order = np.argsort(part, kind="stable")
    return packed.values[order].ravel(), _followed(kernel, listed[order]), np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)


def _followed(kernel: Kernel, offsets: np.ndarray) -> np.ndarray:
    """By as many of the first ones as the kernel looks ahead: it asks for x of the next block while it multiplies the last columns of one."""
    ahead = kernel.x_ahead if isinstance(kernel, OffsetSpmm | OffsetGemm) and offsets.size else 0
    return np.append(offsets, np.resize(offsets, ahead)) if ahead else offsets


def _narrowed(kernel: Kernel, offsets: np.ndarray) -> np.ndarray:
    """As the kernel reads them: int32 either way, two offsets each where two bytes hold one."""
    if not (isinstance(kernel, OffsetGemv) and kernel.narrow):
        return offsets
    return _as_int32(offsets.astype("<i2"))


def _lookup_steps(kernel: LookupGemv, packed: BlockRows) -> tuple[np.ndarray, ...]:
    """Values, places, bases, starts."""
    steps = cut(packed, kernel.per_step, kernel.window, LANES)
    places = steps.places if kernel.place_bytes == kernel.per_step else np.repeat(steps.places, kernel.rows, axis=1)
    return steps.values.ravel(), _as_int32(places.ravel()), _as_int32(steps.bases.astype("<i2")), steps.starts


def _as_int32(array: np.ndarray) -> np.ndarray:
    """The same bytes, and zeros up to a whole number."""
    return np.pad(array, (0, -array.nbytes % 4 // array.itemsize)).view(np.int32)


def _part(kernel: OffsetSpmm, packed: BlockRows, row_block: np.ndarray, listed: np.ndarray, in_channels: int) -> tuple[np.ndarray, int, np.ndarray]:
    """-> (of the lists as the kernel cuts them, the number in which each entry stands, how many there are, the offsets as it wants them)."""
    depth = packed.columns % in_channels * kernel.depths // in_channels
    part, parts = depth * packed.row_blocks + row_block, kernel.depths * packed.row_blocks
    if not isinstance(kernel, AlignedSpmm):
        return part, parts, listed
    residue = listed % kernel.lanes
    return part * len(kernel.residues) + np.searchsorted(-np.array(kernel.residues), -residue), parts * len(kernel.residues), listed - residue


def _subset_lists(kernel: SubsetSpmm, packed: BlockRows, row_block: np.ndarray, listed: np.ndarray, in_channels: int):
    """By ranges of columns, blocks of rows, and which of these rows keep a weight."""
    part, parts, _ = _part(kernel, packed, row_block, listed, in_channels)
    kept, subsets = packed.values != 0, len(kernel.subsets)
    number = part * subsets + kept @ (1 << np.arange(kernel.rows)) - 1
    order = np.argsort(number, kind="stable")
    ends = np.cumsum(np.bincount(number, minlength=parts * subsets)).reshape(parts, subsets)
    values = np.cumsum(np.bincount(part, kept.sum(axis=1), parts))
    starts = np.column_stack([np.append(0, values[:-1]), np.append(0, ends[:-1, -1]), ends])
    return packed.values[order][kept[order]], listed[order], starts.astype(np.int32).ravel()
