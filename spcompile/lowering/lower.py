"""From a prepared model to a program of kernel calls for one target."""

import math
from dataclasses import dataclass

import onnx_ir as ir

from spcompile.errors import UnsupportedOperator
from spcompile.ir.layers import find_layers
from spcompile.lowering.attention import lower_gather, lower_matmul
from spcompile.lowering.elementwise_ops import expression_of
from spcompile.lowering.emitter import DTYPES, Emitter
from spcompile.lowering.images import ImagePlan
from spcompile.lowering.linear import lower_conv, lower_linear
from spcompile.lowering.memory import place
from spcompile.lowering.pooling import lower_pool
from spcompile.lowering.program import Program, Tensor
from spcompile.lowering.reductions import lower_layer_norm, lower_reduce, lower_softmax
from spcompile.lowering.shapes import (
    lower_concat,
    lower_depth_to_space,
    lower_expand,
    lower_pad,
    lower_reshape,
    lower_resize,
    lower_slice,
    lower_split,
    lower_transpose,
    resizes_by_copy,
)
from spcompile.lowering.site import Site
from spcompile.lowering.tasks import Task, group, shape_of
from spcompile.lowering.view import View, row_major
from spcompile.targets.target import Target

OPERATORS = {
    "AveragePool": lower_pool,
    "Concat": lower_concat,
    "DepthToSpace": lower_depth_to_space,
    "Expand": lower_expand,
    "Flatten": lower_reshape,
    "Gather": lower_gather,
    "GlobalAveragePool": lower_reduce,
    "GlobalMaxPool": lower_reduce,
    "Identity": lower_reshape,
    "LayerNormalization": lower_layer_norm,
    "LogSoftmax": lower_softmax,
    "MatMul": lower_matmul,
    "MaxPool": lower_pool,
    "Pad": lower_pad,
    "ReduceL2": lower_reduce,
    "ReduceMax": lower_reduce,
    "ReduceMean": lower_reduce,
    "ReduceMin": lower_reduce,
    "ReduceSum": lower_reduce,
    "ReduceSumSquare": lower_reduce,
    "Reshape": lower_reshape,
    "Resize": lower_resize,
    "Slice": lower_slice,
    "Softmax": lower_softmax,
    "Split": lower_split,
    "Squeeze": lower_reshape,
    "Transpose": lower_transpose,
    "Unsqueeze": lower_reshape,
}


@dataclass(frozen=True, eq=False)
class Lowered:
    """A program, and for each layer the search may choose for, where it runs."""

    program: Program
    sites: dict[str, Site]


def lower(model: ir.Model, target: Target, threads: int = 1) -> Lowered:
    """Kernels are chosen by the zeros found in the weights: a network that is not pruned gives the dense program.

    Raises UnsupportedOperator for the first node that cannot be compiled.
    """
    check_operators(model)
    graph = model.graph
    tasks = group(graph)
    emitter = Emitter(target, threads, ImagePlan(tasks))
    for index, value in enumerate(graph.inputs):
        shape = shape_of(value)
        buffer = emitter.buffer("input", math.prod(shape), DTYPES[value.dtype], index)
        emitter.views[value] = View(buffer, 0, shape, row_major(shape), DTYPES[value.dtype])
    layers = {layer.name: layer for layer in find_layers(model)}
    for task in tasks:
        emitter.node = task.name
        _lower_task(emitter, task, layers)
    for index, value in enumerate(graph.outputs):
        shape = shape_of(value)
        out = View(emitter.buffer("output", math.prod(shape), index=index), 0, shape, row_major(shape))
        emitter.node = value.name
        emitter.elementwise(out, [emitter.view(value)])
    return Lowered(_finish(emitter, graph), emitter.sites)


def check_operators(model: ir.Model) -> None:
    """Name the first node that cannot be compiled, before anything long starts."""
    layers = {layer.name for layer in find_layers(model)}
    for node in model.graph:
        if reason := _refusal(node, node.name in layers):
            raise UnsupportedOperator(f"node '{node.name}' ({node.op_type}) cannot be compiled: {reason}; supported operators: see README")


def _refusal(node: ir.Node, is_layer: bool) -> str:
    if is_layer:
        return ""
    if node.op_type == "MatMul" and any(len(shape_of(value)) < 2 for value in node.inputs):
        return "a product with a vector"
    if node.op_type == "Resize" and not resizes_by_copy(node):
        return "only nearest neighbour by whole factors is known"
    if node.op_type == "Pad" and "mode" in node.attributes and node.attributes["mode"].as_string() != "constant":
        return f"padding mode {node.attributes['mode'].as_string()}"
    if node.op_type == "Gather" and node.inputs[1].const_value is None and (node.inputs[0].const_value is None or len(shape_of(node.inputs[0])) != 2):
        return "computed indices into anything but a constant table"
    if node.op_type in ("MaxPool", "AveragePool") and (len(shape_of(node.inputs[0])) != 4 or len(node.outputs) > 1):
        return "only 2-D pools with one output are known"
    if node.op_type in OPERATORS or expression_of(node) is not None:
        return ""
    return "the operator is not known" if node.op_type not in ("Conv", "Gemm") else "only 2-D convolutions and products with constant fp32 weights are known"


def _lower_task(emitter: Emitter, task: Task, layers: dict) -> None:
    node = task.node
    if node is None:
        _lower_elementwise(emitter, task)
    elif node.name in layers:
        (lower_conv if node.op_type == "Conv" else lower_linear)(emitter, task, layers[node.name])
    else:
        OPERATORS[node.op_type](emitter, task)


def _lower_elementwise(emitter: Emitter, task: Task) -> None:
    inputs = [emitter.view(value) for value in task.operands]
    image = emitter.plan.images.get(task.output)
    if image is None:
        out = emitter.like(task.shape, inputs)
        emitter.elementwise(out, inputs, task.expression)
    else:
        out = emitter.image_view(image)
        emitter.elementwise(out, inputs, task.expression)
        if image.parent is None:
            emitter.border(image, out, columns=True)
    emitter.views[task.output] = out


def _finish(emitter: Emitter, graph: ir.Graph) -> Program:
    starts, total, alive = place(emitter.buffers, emitter.steps)
    constant_starts, values, indices = emitter.packed_constants()
    return Program(
        tuple(emitter.steps),
        tuple(emitter.buffers),
        starts | constant_starts,
        total,
        values,
        indices,
        tuple(_tensor(value) for value in graph.inputs),
        tuple(_tensor(value) for value in graph.outputs),
        alive,
    )


def _tensor(value: ir.Value) -> Tensor:
    return Tensor(value.name, shape_of(value), DTYPES[value.dtype])
