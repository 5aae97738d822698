"""Reductions, softmax, layer normalisation and pools on a GPU: one launch each."""

import math

from spcompile.errors import UnsupportedOperator
from spcompile.kernels.expression import ACCUMULATOR, constant, operand
from spcompile.kernels.gpu.grid_gather import GridGather
from spcompile.kernels.gpu.grid_rows import GridRows
from spcompile.kernels.gpu.grid_window import GridWindow
from spcompile.kernels.gpu.window import Window
from spcompile.lowering.attention import lower_gather as lower_constant_gather
from spcompile.lowering.emitter import pointer
from spcompile.lowering.geometry import window_of
from spcompile.lowering.gpu.emitter import GpuEmitter
from spcompile.lowering.gpu.layers import epilogue_of
from spcompile.lowering.program import Argument
from spcompile.lowering.reductions import reduced_axes, reduction_of
from spcompile.lowering.tasks import Task, shape_of
from spcompile.lowering.view import View

X = ACCUMULATOR

LARGEST_WHOLE = {"float16": 1 << 11, "bfloat16": 1 << 8}  # up to which every whole number is held


def _launch(emitter: GpuEmitter, view: View, out: View, axes: set[int], statistics, finish, spread: bool, operands=()) -> None:
    joined = list(zip(view.shape, view.strides, out.strides, strict=True))
    outer = tuple(axis for at, axis in enumerate(joined) if at not in axes and axis[0] > 1)
    inner = tuple(axis for at, axis in enumerate(joined) if at in axes and axis[0] > 1)
    kernel = GridRows(outer, inner, statistics, finish, spread, len(operands), emitter.dtype_of(view), emitter.dtype_of(out))
    emitter.call(kernel, pointer(view), pointer(out), *(pointer(operand) for operand in operands))


def lower_reduce(emitter: GpuEmitter, task: Task) -> None:
    node = task.node
    view, axes = emitter.view(node.inputs[0]), reduced_axes(node)
    reduction, element, finish = reduction_of(node.op_type, view, axes)
    shape = tuple(1 if axis in axes else extent for axis, extent in enumerate(view.shape))
    out = emitter.compact(shape)
    _launch(emitter, view, out, axes, ((reduction, element),), finish, False)
    emitter.views[task.output] = out.reshape(task.shape)


def lower_softmax(emitter: GpuEmitter, task: Task) -> None:
    """exp(x - max) / sum exp(x - max) along one axis; LogSoftmax: x - max - log sum exp(x - max)."""
    view = emitter.view(task.node.inputs[0])
    axis = {task.node.attributes.get_int("axis", -1) % len(view.shape)}
    shifted = ("sub", X, operand(1))
    logarithm = task.node.op_type == "LogSoftmax"
    finish = ("sub", shifted, ("log", operand(2))) if logarithm else ("div", ("exp", shifted), operand(2))
    out = emitter.like(view.shape, [view])
    _launch(emitter, view, out, axis, (("max", X), ("add", ("exp", shifted))), finish, True)
    emitter.views[task.output] = out


def lower_layer_norm(emitter: GpuEmitter, task: Task) -> None:
    """(x - mean) / sqrt(variance + epsilon) * scale + bias over the axes from `axis` on."""
    node = task.node
    view = emitter.view(node.inputs[0])
    first = node.attributes.get_int("axis", -1) % len(view.shape)
    share = constant(1 / math.prod(view.shape[first:]))
    epsilon = constant(node.attributes.get_float("epsilon", 1e-5))
    centred = ("sub", X, ("mul", operand(1), share))
    inverse = ("reciprocal", ("sqrt", ("add", ("mul", operand(2), share), epsilon)))
    given = [value for value in node.inputs[1:] if value is not None]
    if any(value.const_value is None or shape_of(value) != view.shape[first:] for value in given):
        raise UnsupportedOperator(f"node '{node.name}' (LayerNormalization) cannot be compiled for a GPU: scale or bias is no constant of the normalised shape")
    finish = ("mul", ("mul", centred, inverse), operand(3))
    out = emitter.like(view.shape, [view])
    statistics = (("add", X), ("add", ("square", centred)))
    axes = set(range(first, len(view.shape)))
    _launch(emitter, view, out, axes, statistics, ("add", finish, operand(4)) if len(given) > 1 else finish, True, [emitter.view(value) for value in given])
    emitter.views[task.output] = out


def lower_pool(emitter: GpuEmitter, task: Task) -> None:
    source, out, geometry = emitter.chunked_image(emitter.view(task.node.inputs[0])), emitter.image(task.shape), window_of(task.node)
    channels = source.shape[1]
    window = Window(
        geometry.in_size, geometry.out_size, 1, source.strides[0], source.strides[2], source.strides[3], geometry.kernel, geometry.strides,
        geometry.dilations, geometry.pads[:2],
    )  # fmt: skip
    epilogue, operands, views = epilogue_of(emitter, task, out)
    average = task.node.op_type == "AveragePool"
    divide = ("padded" if task.node.attributes.get_int("count_include_pad", 0) else "inside") if average else "one"
    positions = task.shape[0] * task.shape[2] * task.shape[3]
    kernel = GridWindow(
        "add" if average else "max", channels, 1, positions, window, out.strides[3], emitter.dtype, divide, geometry.pads[2:], epilogue, operands,
        tuple(emitter.dtype_of(view) for view in views),
    )  # fmt: skip
    emitter.call(kernel, pointer(source), pointer(out), *(pointer(view) for view in views))
    emitter.views[task.output] = out


def lower_gather(emitter: GpuEmitter, task: Task) -> None:
    """Rows of a constant table by computed indices; a constant index is a slice or copies, as on a CPU."""
    table, index = task.node.inputs[:2]
    if index.const_value is not None:
        lower_constant_gather(emitter, task)
        return
    entries, width = shape_of(table)
    where = emitter.view(index)
    index_dtype = emitter.dtype_of(where)
    if entries > LARGEST_WHOLE.get(index_dtype, entries):
        raise UnsupportedOperator(
            f"node '{task.name}' (Gather) cannot be compiled: its places are computed in {index_dtype}, which cannot tell {entries:,} rows apart"
        )
    stored = Argument(emitter.stored(emitter.halves(table.const_value.numpy())))
    out = emitter.compact(task.shape)
    axes = tuple(axis for axis in zip(where.shape, where.strides, strict=True) if axis[0] > 1)
    emitter.call(GridGather(axes, width, entries, emitter.dtype, index_dtype), stored, pointer(where), pointer(out))
    emitter.views[task.output] = out
