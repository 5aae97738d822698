"""Layers with constant weights as launches of a tensor-core product; depthwise ones, and groups of few channels, as launches of their own."""

from spcompile.ir.layer import Layer
from spcompile.kernels.expression import operand, substitute
from spcompile.kernels.gpu.grid_window import GridWindow
from spcompile.kernels.gpu.vector_product import VectorProduct
from spcompile.kernels.gpu.window import CHUNK, Window
from spcompile.kernels.operand import Operand
from spcompile.lowering.emitter import pointer
from spcompile.lowering.geometry import window_of
from spcompile.lowering.gpu.emitter import GpuEmitter, aligned
from spcompile.lowering.gpu.forms import product
from spcompile.lowering.gpu.vectors import positions_adjacent
from spcompile.lowering.linear import matrix_of
from spcompile.lowering.program import Argument
from spcompile.lowering.tasks import Task
from spcompile.lowering.view import View


def lower_conv(emitter: GpuEmitter, task: Task, layer: Layer) -> None:
    source, out = emitter.chunked_image(emitter.view(task.node.inputs[0])), emitter.image(task.shape)
    geometry = window_of(task.node)
    window = Window(
        geometry.in_size, geometry.out_size, layer.in_channels, source.strides[0], source.strides[2], source.strides[3], geometry.kernel,
        geometry.strides, geometry.dilations, geometry.pads[:2],
    )  # fmt: skip
    bias = task.node.inputs[2] if len(task.node.inputs) > 2 else None
    _layer(emitter, task, layer, source, window, out, out.strides[3], bias)


def lower_linear(emitter: GpuEmitter, task: Task, layer: Layer) -> None:
    flat = emitter.chunked_rows(emitter.view(task.node.inputs[0]))
    positions = flat.shape[0]
    out = emitter.compact(task.shape)
    gemm_bias = task.node.op_type == "Gemm" and len(task.node.inputs) > 2
    stride = flat.strides[0] if positions > 1 else -(-layer.columns // CHUNK) * CHUNK
    _layer(emitter, task, layer, flat, Window.linear(positions, layer.columns, stride), out, layer.rows, task.node.inputs[2] if gemm_bias else None)


def _layer(emitter: GpuEmitter, task: Task, layer: Layer, source: View, window: Window, out: View, y_stride: int, bias) -> None:
    """y_stride: from position to position of the result."""
    epilogue, operands, views = epilogue_of(emitter, task, out, bias)
    ending = {"epilogue": epilogue, "operands": operands, "operand_dtypes": tuple(emitter.dtype_of(view) for view in views)}
    pointers = tuple(pointer(view) for view in views)
    matrix = matrix_of(task.node, layer)
    small_groups = layer.groups > 1 and (layer.in_channels % CHUNK or (layer.rows // layer.groups) % CHUNK)
    if layer.depthwise or small_groups:
        kernel = GridWindow(
            "dot", layer.rows, layer.rows // layer.groups, layer.positions, window, y_stride, emitter.dtype, **ending
        )  # fmt: skip
        weights = (Argument(emitter.stored(emitter.halves(matrix))),)
    else:
        kernel, weights = product(emitter, layer, matrix, source, window, y_stride, ending | {"aligned": aligned(out, *views)})
    if isinstance(kernel, VectorProduct):
        source = positions_adjacent(emitter, kernel, source)
    emitter.layers[layer.name] = kernel
    emitter.call(kernel, *weights, pointer(source), pointer(out), *pointers, layer=layer.name)
    emitter.views[task.output] = out


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
