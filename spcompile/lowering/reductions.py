"""Reductions over axes, and what is made of them: softmax, layer normalisation."""

import math

import numpy as np

from spcompile.kernels.cpu.reduce import Reduce
from spcompile.kernels.expression import ACCUMULATOR, Expression, constant, operand
from spcompile.lowering.emitter import Emitter, pointer
from spcompile.lowering.tasks import Task, shape_of
from spcompile.lowering.view import View, ordered

X = ACCUMULATOR


def reduce_axes(emitter: Emitter, view: View, axes: set[int], reduction: str, element: Expression = X, finish: Expression = X) -> View:
    """-> view with the axes kept at extent 1, in the axis order of the input."""
    shape = tuple(1 if axis in axes else extent for axis, extent in enumerate(view.shape))
    out = emitter.compact(shape, ordered(shape, view.strides))
    outer = [(n, s, t) for axis, (n, s, t) in enumerate(zip(view.shape, view.strides, out.strides, strict=True)) if axis not in axes]
    inner = [(n, s) for axis, (n, s) in enumerate(zip(view.shape, view.strides, strict=True)) if axis in axes]
    emitter.call(Reduce.over(reduction, outer, inner, emitter.target.lanes_fp32, element, finish), pointer(view), pointer(out))
    return out


def lower_reduce(emitter: Emitter, task: Task) -> None:
    view = emitter.view(task.node.inputs[0])
    axes = reduced_axes(task.node)
    kept = reduce_axes(emitter, view, axes, *reduction_of(task.node.op_type, view, axes))
    emitter.views[task.output] = emitter.reshaped(kept, task.shape)


def reduction_of(op_type: str, view: View, axes: set[int]) -> tuple[str, Expression, Expression]:
    """-> how elements are joined, what each becomes before that, and what is made of the outcome."""
    mean = ("mul", X, constant(1 / math.prod(view.shape[axis] for axis in axes)))
    return {
        "ReduceMean": ("add", X, mean),
        "GlobalAveragePool": ("add", X, mean),
        "ReduceSum": ("add", X, X),
        "ReduceMax": ("max", X, X),
        "GlobalMaxPool": ("max", X, X),
        "ReduceMin": ("min", X, X),
        "ReduceL2": ("add", ("square", X), ("sqrt", X)),
        "ReduceSumSquare": ("add", ("square", X), X),
    }[op_type]


def reduced_axes(node) -> set[int]:
    rank = len(shape_of(node.inputs[0]))
    if node.op_type.startswith("Global"):
        return set(range(2, rank))
    axes = node.attributes.get_ints("axes", ())
    if len(node.inputs) > 1 and node.inputs[1] is not None:
        axes = np.atleast_1d(node.inputs[1].const_value.numpy())
    if not len(axes) and not node.attributes.get_int("noop_with_empty_axes", 0):
        axes = range(rank)
    return {int(axis) % rank for axis in axes}


def lower_softmax(emitter: Emitter, task: Task) -> None:
    """exp(x - max) / sum exp(x - max) along one axis (ONNX 13); LogSoftmax: x - max - log sum exp(x - max)."""
    view = emitter.view(task.node.inputs[0])
    axis = {task.node.attributes.get_int("axis", -1) % len(view.shape)}
    largest = reduce_axes(emitter, view, axis, "max")
    shifted = emitter.like(view.shape, [view])
    difference = ("sub", operand(0), operand(1))
    if task.node.op_type == "LogSoftmax":
        emitter.elementwise(shifted, [view, largest], difference)
        total = reduce_axes(emitter, shifted, axis, "add", ("exp", X), ("log", X))
    else:
        emitter.elementwise(shifted, [view, largest], ("exp", difference))
        total = reduce_axes(emitter, shifted, axis, "add", X, ("div", constant(1), X))
    out = emitter.like(view.shape, [view])
    emitter.elementwise(out, [shifted, total], difference if task.node.op_type == "LogSoftmax" else ("mul", operand(0), operand(1)))
    emitter.views[task.output] = out


def lower_layer_norm(emitter: Emitter, task: Task) -> None:
    """(x - mean) / sqrt(variance + epsilon) * scale + bias over the axes from `axis` on (Ba et al., arXiv:1607.06450)."""
    node = task.node
    view = emitter.view(node.inputs[0])
    first = node.attributes.get_int("axis", -1) % len(view.shape)
    axes = set(range(first, len(view.shape)))
    share = constant(1 / math.prod(view.shape[first:]))
    epsilon = constant(node.attributes.get_float("epsilon", 1e-5))
    mean = reduce_axes(emitter, view, axes, "add", X, ("mul", X, share))
    centred = emitter.like(view.shape, [view])
    emitter.elementwise(centred, [view, mean], ("sub", operand(0), operand(1)))
    inverse = reduce_axes(emitter, centred, axes, "add", ("square", X), ("reciprocal", ("sqrt", ("add", ("mul", X, share), epsilon))))
    inputs = [centred, inverse, *(emitter.view(value) for value in node.inputs[1:] if value is not None)]
    scaled = ("mul", ("mul", operand(0), operand(1)), operand(2))
    out = emitter.like(view.shape, [view])
    emitter.elementwise(out, inputs, ("add", scaled, operand(3)) if len(inputs) > 3 else scaled)
    emitter.views[task.output] = out
