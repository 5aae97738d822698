"""Layers that keep vectors of eight rows as a launch of `VectorProduct`, behind one that brings the inputs' positions side by side."""

from collections.abc import Iterator

import numpy as np

from spcompile.formats.column_vectors import BANDS, ROWS, ColumnVectors, pack
from spcompile.kernels.gpu.grid_transpose import GridTranspose
from spcompile.kernels.gpu.mma_product import MmaProduct
from spcompile.kernels.gpu.vector_product import VectorProduct, words_of
from spcompile.kernels.gpu.window import CHUNK
from spcompile.lowering.emitter import pointer
from spcompile.lowering.gpu.emitter import GpuEmitter
from spcompile.lowering.view import View
from spcompile.targets.gpu import Gpu

STAGES = (4, 3, 2)  # most first
MOST_KEPT = 0.5  # share of the vectors up to which skipping the others is looked at; every step beside its weights reads four times as many inputs


def vector_form(dense: MmaProduct, matrix: np.ndarray, source: View, gpu: Gpu) -> Iterator[tuple[VectorProduct, ColumnVectors]]:
    """One, or none where positions do not follow one another evenly, too many vectors are kept, or shared memory is too small.

    dense: the layer as it is; matrix [rows, columns]; source: where its input lies.
    """
    if flat(source) is None or dense.positions != flat(source).shape[0] or dense.window.taps > 1 or _share_kept(matrix) > MOST_KEPT:
        return
    packed, stride = pack(matrix), -(-dense.positions // CHUNK) * CHUNK
    stages = next((count for count in STAGES if 4 * words_of(packed.most_steps, count) <= gpu.shared_bytes), None)
    if stages is not None:
        yield (
            VectorProduct(
                dense.rows, dense.positions, matrix.shape[1], stride, dense.y_stride, packed.most_steps, stages, dense.dtype, dense.epilogue, dense.operands,
                dense.operand_dtypes, dense.aligned, packed.density,
            ),
            packed,
        )  # fmt: skip


def transposing(kernel: VectorProduct, x_stride: int) -> GridTranspose:
    """What brings positions side by side that lie `x_stride` apart."""
    return GridTranspose(kernel.positions, kernel.columns, x_stride, kernel.x_stride, kernel.dtype)


def positions_adjacent(emitter: GpuEmitter, kernel: VectorProduct, source: View) -> View:
    """The inputs of `kernel`, [columns, positions], written by a launch of their own."""
    source, out = flat(source), emitter.matrix((kernel.columns, kernel.positions))
    emitter.call(transposing(kernel, source.strides[0]), pointer(out), pointer(source))
    return out


def flat(source: View) -> View | None:
    """An image or matrix as [positions, columns], columns adjacent; None where positions do not follow one another evenly."""
    if len(source.shape) == 4:
        source = source.transpose((0, 2, 3, 1))
    matrix = source.reshape((int(np.prod(source.shape[:-1])), source.shape[-1]))
    return matrix if matrix is not None and (matrix.shape[1] == 1 or matrix.strides[1] == 1) else None


def _share_kept(matrix: np.ndarray) -> float:
    padded = np.pad(matrix != 0, ((0, -len(matrix) % (ROWS * BANDS)), (0, 0)))
    return float(padded.reshape(-1, ROWS, matrix.shape[1]).any(axis=1).mean())
