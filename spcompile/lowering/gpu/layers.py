"""Layers with constant weights as launches of the tensor-core product, in the form that their zeros allow and that is predicted fastest."""

import math
from dataclasses import replace

import numpy as np

from spcompile.costs.gpu import WHOLE, predict
from spcompile.formats import column_blocks, two_of_four
from spcompile.ir.layer import Layer
from spcompile.kernels.expression import operand, substitute
from spcompile.kernels.gpu.grid_window import GridWindow
from spcompile.kernels.gpu.mma_product import TILES, MmaProduct, Tile
from spcompile.kernels.gpu.vector_product import VectorProduct
from spcompile.kernels.gpu.window import CHUNK, Window
from spcompile.kernels.gpu.work import ELEMENT, Product
from spcompile.kernels.operand import Operand
from spcompile.lowering.emitter import pointer
from spcompile.lowering.geometry import window_of
from spcompile.lowering.gpu.emitter import GpuEmitter
from spcompile.lowering.gpu.vectors import positions_adjacent, transposing, vector_form
from spcompile.lowering.linear import matrix_of
from spcompile.lowering.program import Argument
from spcompile.lowering.tasks import Task
from spcompile.lowering.view import View
from spcompile.patterns import parse
from spcompile.targets.gpu import Gpu

TWO_OF_FOUR = parse("2:4")
BLOCK_TILE_ROWS, BLOCK_WIDTHS = 64, (64, 32, 16)
MOST_KEPT = 0.8  # share of a matrix, or of its blocks, up to which skipping blocks is looked at
SHARED_BYTES_PER_CYCLE = 128  # of one SM: 32 banks of 4 bytes


def best_tile(work: Product, gpu: Gpu, rows: int | None = None) -> Tile:
    """Of those that fit shared memory, of `rows` rows if given, the one that keeps its SMs busy for the shortest time."""
    fitting = [tile for tile in TILES if 4 * tile.words(work.two_of_four) <= gpu.shared_bytes and rows in (None, tile.rows)]
    return min(fitting, key=lambda tile: _busy_s(work, tile, gpu))


def _busy_s(work: Product, tile: Tile, gpu: Gpu) -> float:
    """Waves of thread blocks, each as long as its tensor cores or its reads of shared memory; or the traffic with L2, if that takes longer."""
    blocks = -(-work.rows // tile.rows) * -(-work.positions // tile.positions) * work.batch
    rate = (gpu.sparse_flops if work.two_of_four else gpu.dense_flops) / gpu.sms
    read = tile.bytes_per_column(work.two_of_four) / (SHARED_BYTES_PER_CYCLE * gpu.clock_hz)
    columns = work.columns * work.kept
    block_s = columns * max(2 * tile.rows * tile.positions / rate, read)
    moved = blocks * columns * (tile.rows * work.bytes_of_weight + tile.positions * ELEMENT)
    return max(-(-blocks // gpu.sms) * block_s, moved / (gpu.l2_bytes_per_cycle * gpu.clock_hz))


def lower_conv(emitter: GpuEmitter, task: Task, layer: Layer) -> None:
    source, out = emitter.chunked(emitter.view(task.node.inputs[0])), emitter.image(task.shape)
    geometry = window_of(task.node)
    window = Window(
        geometry.in_size, geometry.out_size, layer.in_channels, source.strides[0], source.strides[2], source.strides[3], geometry.kernel,
        geometry.strides, geometry.dilations, geometry.pads[:2],
    )  # fmt: skip
    bias = task.node.inputs[2] if len(task.node.inputs) > 2 else None
    _layer(emitter, task, layer, source, window, out, out.strides[3], bias)


def lower_linear(emitter: GpuEmitter, task: Task, layer: Layer) -> None:
    view = emitter.view(task.node.inputs[0])
    positions = math.prod(view.shape[:-1])
    source = emitter.chunked(view)
    flat = source.reshape((positions, layer.columns))
    if flat is None:
        source = emitter.matrix(view.shape)
        emitter.elementwise(source, [view])
        flat = source.reshape((positions, layer.columns))
    out = emitter.compact(task.shape)
    gemm_bias = task.node.op_type == "Gemm" and len(task.node.inputs) > 2
    stride = flat.strides[0] if positions > 1 else -(-layer.columns // CHUNK) * CHUNK
    _layer(emitter, task, layer, flat, Window.linear(positions, layer.columns, stride), out, layer.rows, task.node.inputs[2] if gemm_bias else None)


def _layer(emitter: GpuEmitter, task: Task, layer: Layer, source: View, window: Window, out: View, y_stride: int, bias) -> None:
    """y_stride: from position to position of the result."""
    epilogue, operands, views = epilogue_of(emitter, task, out, bias)
    dtypes = tuple(emitter.dtype_of(view) for view in views)
    pointers = tuple(pointer(view) for view in views)
    matrix = matrix_of(task.node, layer)
    small_groups = layer.groups > 1 and (layer.in_channels % CHUNK or (layer.rows // layer.groups) % CHUNK)
    if layer.depthwise or small_groups:
        kernel = GridWindow(
            "dot", layer.rows, layer.rows // layer.groups, layer.positions, window, y_stride, emitter.dtype, epilogue=epilogue, operands=operands,
            operand_dtypes=dtypes,
        )  # fmt: skip
        weights = (Argument(emitter.stored(emitter.halves(matrix))),)
    else:
        kernel, weights = _product(emitter, layer, matrix, source, window, y_stride, epilogue, operands, dtypes)
    if isinstance(kernel, VectorProduct):
        source = positions_adjacent(emitter, kernel, source)
    emitter.layers[layer.name] = (kernel,)
    emitter.call(kernel, *weights, pointer(source), pointer(out), *pointers, layer=layer.name)
    emitter.views[task.output] = out


def _product(emitter: GpuEmitter, layer: Layer, matrix: np.ndarray, source: View, window: Window, y_stride: int, epilogue, operands, dtypes):
    """-> (kernel, its weights): of the forms that the zeros allow, the one predicted fastest."""
    rows, gpu = layer.rows // layer.groups, emitter.target
    taps = matrix.reshape(layer.rows, window.taps, window.channels)
    padded = np.pad(taps, ((0, 0), (0, 0), (0, window.padded_channels - window.channels))).reshape(layer.rows, window.columns)
    dense = MmaProduct(
        rows, layer.positions, window, window.columns, y_stride, TILES[0], emitter.dtype, batch=layer.groups,
        batch_strides=(rows * window.columns, layer.in_channels, rows), epilogue=epilogue,
        operands=tuple(replace(o, batch_stride=rows * o.row_stride) for o in operands), operand_dtypes=dtypes,
    )  # fmt: skip
    forms = [(dense, None)]
    if layer.groups == 1:
        forms += [*_sparse_forms(dense, matrix, padded, gpu), *vector_form(dense, matrix, source, gpu)]
    kernel, packed = min(forms, key=lambda form: _predicted_s(form[0], gpu))
    if isinstance(kernel, VectorProduct):
        words = packed.words(emitter.halves(packed.values))
        return kernel, (Argument(emitter.stored(words)), Argument(emitter.stored(packed.starts)))
    tile = best_tile(kernel.work(), gpu, BLOCK_TILE_ROWS if kernel.block_width else None)
    kernel = replace(kernel, tile=tile)
    if packed is None:
        return kernel, (Argument(emitter.stored(emitter.halves(padded))),)
    lists = (packed.metadata,) if kernel.two_of_four else (packed.starts, packed.blocks, packed.order)
    return kernel, tuple(Argument(emitter.stored(array)) for array in (emitter.halves(packed.values), *lists))


def _predicted_s(kernel: MmaProduct | VectorProduct, gpu: Gpu) -> float:
    """Of a layer's launch, and of the one that must go before it."""
    works = [kernel.work(), *([transposing(kernel, kernel.columns).work()] if isinstance(kernel, VectorProduct) else [])]
    return sum(predict(work, gpu, splits=WHOLE).expected_s for work in works)


def _sparse_forms(dense: MmaProduct, matrix: np.ndarray, padded: np.ndarray, gpu: Gpu):
    """2:4 where the matrix obeys it; blocks of columns that tiles of 64 rows keep, where a fifth of it is zero."""
    single = replace(dense, batch_strides=(0, 0, 0))
    if gpu.has_sparse and dense.window.channels % 4 == 0 and TWO_OF_FOUR.check(matrix != 0):
        packed = two_of_four.pack(padded)
        yield replace(single, two_of_four=True, weight_stride=packed.values.shape[1]), packed
    if np.count_nonzero(matrix) <= MOST_KEPT * matrix.size:
        for width in BLOCK_WIDTHS:
            packed = column_blocks.pack(padded, BLOCK_TILE_ROWS, width)
            if 0 < packed.density <= MOST_KEPT:
                yield replace(single, block_width=width, weight_stride=0, kept=packed.density), packed


def epilogue_of(emitter: GpuEmitter, task: Task, out: View, bias=None):
    """-> (expression, operands, their views): the task's own and its bias, each as strides of one row and one position."""
    expression, values = task.expression, list(task.operands)
    views = [emitter.view(value) for value in values]
    if bias is not None:
        expression = substitute(expression, {0: ("add", operand(0), operand(len(values) + 1))})
        view = emitter.view(bias)
        views.append(View(view.buffer, view.offset, (*view.shape, 1, 1), (*view.strides, 0, 0)) if task.node.op_type == "Conv" else view)
    placed = [_by_row_and_position(emitter, view.broadcast(task.shape), out, task.row_axis) for view in views]
    return expression, tuple(where for where, _ in placed), [view for _, view in placed]


def _by_row_and_position(emitter: GpuEmitter, view: View, out: View, axis: int) -> tuple[Operand, View]:
    """Strides of a row (channel) and of a position; a copy in the output's layout where positions do not follow one another evenly."""
    others = [at for at in range(len(out.shape)) if at != axis and out.shape[at] > 1]
    if not any(view.strides[at] for at in others):
        return Operand(view.strides[axis] if out.shape[axis] > 1 else 0, 0), view
    step, want = view.strides[others[-1]], 1
    even = True
    for at in reversed(others):
        even = even and view.strides[at] == step * want
        want *= out.shape[at]
    if not even:
        view = emitter.copy(view, out.strides)
        step = view.strides[others[-1]]
    return Operand(view.strides[axis], step), view
