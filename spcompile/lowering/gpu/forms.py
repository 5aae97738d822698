"""The forms in which tensor cores can multiply a layer's weights, as far as their zeros allow, and which of them is taken."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from spcompile.costs.gpu import WHOLE, predict
from spcompile.formats import column_blocks, two_of_four
from spcompile.ir.layer import Layer
from spcompile.kernels.gpu.mma_product import MmaProduct
from spcompile.kernels.gpu.tile import TILES
from spcompile.kernels.gpu.tile_output import QUAD
from spcompile.kernels.gpu.vector_product import VectorProduct
from spcompile.kernels.gpu.window import Window
from spcompile.lowering.gpu.emitter import GpuEmitter
from spcompile.lowering.gpu.tiles import best_tile
from spcompile.lowering.gpu.vectors import transposing, vector_form
from spcompile.lowering.program import Argument
from spcompile.lowering.view import View
from spcompile.patterns import parse
from spcompile.targets.gpu import Gpu

TWO_OF_FOUR = parse("2:4")
BLOCK_TILE_ROWS, BLOCK_WIDTHS = 64, (64, 32, 16)
MOST_KEPT = 0.8  # share of a matrix, or of its blocks, up to which skipping blocks is looked at


def product(emitter: GpuEmitter, layer: Layer, matrix: np.ndarray, source: View, window: Window, y_stride: int, ending: dict):
    """-> (kernel, its weights): of the forms that the zeros allow, the one that `emitter.choose` takes.

    ending: what becomes of the sums, as fields of the kernel.
    """
    rows, gpu = layer.rows // layer.groups, emitter.target
    taps = matrix.reshape(layer.rows, window.taps, window.channels)
    padded = np.pad(taps, ((0, 0), (0, 0), (0, window.padded_channels - window.channels))).reshape(layer.rows, window.columns)
    dense = MmaProduct(
        rows, layer.positions, window, window.columns, y_stride, TILES[0], emitter.dtype, batch=layer.groups,
        batch_strides=(rows * window.columns, layer.in_channels, rows), **ending,
    )  # fmt: skip
    dense = replace(dense, operands=tuple(replace(each, batch_stride=rows * each.row_stride) for each in dense.operands))
    forms = [(dense, None)]
    if layer.groups == 1:
        forms += [*_sparse_forms(dense, matrix, padded, gpu), *vector_form(dense, matrix, source, gpu)]
    kernel, packed = forms[emitter.choose([kernel for kernel, _ in forms], gpu)]
    if isinstance(kernel, VectorProduct):
        words = packed.words(emitter.halves(packed.values))
        return kernel, (Argument(emitter.stored(words)), Argument(emitter.stored(packed.starts)))
    tile = best_tile(kernel.work(), gpu, BLOCK_TILE_ROWS if kernel.block_width else None)
    kernel = replace(kernel, tile=tile)
    if packed is None:
        return kernel, (Argument(emitter.stored(emitter.halves(padded))),)
    lists = (packed.metadata,) if kernel.two_of_four else (packed.starts, packed.blocks, packed.order)
    return kernel, tuple(Argument(emitter.stored(array)) for array in (emitter.halves(packed.values), *lists))


def fastest(kernels: list[MmaProduct | VectorProduct], gpu: Gpu) -> int:
    """Of those that compute the same layer, the place of the one predicted fastest."""
    return int(np.argmin([_predicted_s(kernel, gpu) for kernel in kernels]))


def _predicted_s(kernel: MmaProduct | VectorProduct, gpu: Gpu) -> float:
    """Of a layer's launch, and of the one that must go before it."""
    works = [kernel.work(), *([transposing(kernel, kernel.columns).work()] if isinstance(kernel, VectorProduct) else [])]
    return sum(predict(work, gpu, splits=WHOLE).expected_s for work in works)


def _sparse_forms(dense: MmaProduct, matrix: np.ndarray, padded: np.ndarray, gpu: Gpu) -> Iterator[tuple]:
    """2:4 where the matrix obeys it; blocks of columns that tiles of 64 rows keep, where a fifth of it is zero."""
    single = replace(dense, batch_strides=(0, 0, 0))
    if gpu.has_sparse and dense.window.channels % 4 == 0 and TWO_OF_FOUR.check(matrix != 0):
        packed = two_of_four.pack(padded)
        yield replace(single, two_of_four=True, weight_stride=packed.values.shape[1]), packed
    if np.count_nonzero(matrix) <= MOST_KEPT * matrix.size:
        for width in BLOCK_WIDTHS:
            packed = column_blocks.pack(padded, BLOCK_TILE_ROWS, width)
            if 0 < packed.density <= MOST_KEPT:
                aligned = single.aligned and packed.together(QUAD)
                yield replace(single, block_width=width, weight_stride=0, kept=packed.density, aligned=aligned), packed
