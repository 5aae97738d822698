"""From a prepared model to a program of kernel calls for one target."""

import math

import onnx_ir as ir

from spcompile.errors import UnsupportedOperator
from spcompile.ir.layers import find_layers
from spcompile.ir.one_input import one_input
from spcompile.lowering import shapes
from spcompile.lowering.attention import lower_gather, lower_matmul
from spcompile.lowering.elementwise_ops import BUILDERS, expression_of
from spcompile.lowering.emitter import DTYPES, Emitter
from spcompile.lowering.geometry import window_of
from spcompile.lowering.images import ImagePlan
from spcompile.lowering.linear import lower_conv, lower_linear
from spcompile.lowering.lowered import TIE, Lowered, repeated
from spcompile.lowering.memory import place
from spcompile.lowering.pooling import lower_pool
from spcompile.lowering.predict import Predictor
from spcompile.lowering.program import Program, Tensor
from spcompile.lowering.reductions import lower_layer_norm, lower_reduce, lower_softmax
from spcompile.lowering.tasks import Task, group, shape_of
from spcompile.lowering.tuning_store import Pick, user_store
from spcompile.lowering.view import View, row_major
from spcompile.targets.target import Target

OPERATORS = {
    **shapes.OPERATORS,
    "AveragePool": lower_pool,
    "Gather": lower_gather,
    "GlobalAveragePool": lower_reduce,
    "GlobalMaxPool": lower_reduce,
    "LayerNormalization": lower_layer_norm,
    "LogSoftmax": lower_softmax,
    "MatMul": lower_matmul,
    "MaxPool": lower_pool,
    "ReduceL2": lower_reduce,
    "ReduceMax": lower_reduce,
    "ReduceMean": lower_reduce,
    "ReduceMin": lower_reduce,
    "ReduceSum": lower_reduce,
    "ReduceSumSquare": lower_reduce,
    "Softmax": lower_softmax,
}

# Operators that may move whole numbers, since a view of them is enough.
MOVES = ("Expand", "Flatten", "Gather", "Identity", "Reshape", "Slice", "Split", "Squeeze", "Transpose", "Unsqueeze")
SETTINGS = {  # inputs that must be constants: they decide which code is emitted
    "Pad": (1, 2, 3),
    "Slice": (1, 2, 3, 4),
    **{name: (1,) for name in OPERATORS if name.startswith("Reduce")},
}


def lower(model: ir.Model, target: Target, threads: int = 1, pick: Pick | None = None) -> Lowered:
    """Kernels are chosen by the zeros found in the weights: a network that is not pruned gives the dense program. Several inputs run one after the other
    where that is not predicted slower: what is alive of one fits nearer caches.

    pick: has the last word on each layer's kernel; None asks the user's tuning store.
    Raises UnsupportedOperator for the first node that cannot be compiled.
    """
    check_operators(model)
    pick = pick or user_store().pick(target, threads)
    together, single = lower_together(model, target, threads, pick), one_input(model, frozenset(BUILDERS))
    if single is None:
        return together
    apart = repeated(lower_together(single, target, threads, pick), together.program.inputs, together.program.outputs)
    apart_s, together_s = (Predictor(lowered, target, threads).total.expected_s for lowered in (apart, together))
    return apart if apart_s <= TIE * together_s else together


def lower_together(model: ir.Model, target: Target, threads: int, pick: Pick) -> Lowered:
    """Each step does all inputs of a batch."""
    graph = model.graph
    tasks = group(graph)
    emitter = Emitter(target, threads, ImagePlan(tasks, target.lanes_fp32), pick)
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
    return Lowered(_finish(emitter, graph), emitter.sites, model)


def check_operators(model: ir.Model) -> None:
    """Name the first input, node or output that cannot be compiled, before anything long starts."""
    layers = {layer.name for layer in find_layers(model)}
    for value in model.graph.inputs:
        if value.dtype not in DTYPES:
            raise UnsupportedOperator(f"input '{value.name}' is {value.dtype.name.lower()}; known are {', '.join(DTYPES.values())}: convert the model")
    for node in model.graph:
        if reason := _refusal_of_values(node) or ("" if node.name in layers else _refusal(node)):
            raise UnsupportedOperator(f"node '{node.name}' ({node.op_type}) cannot be compiled: {reason}; docs/main-job.md lists the operators that can")
    for value in model.graph.outputs:
        if value.dtype != ir.DataType.FLOAT:
            raise UnsupportedOperator(f"output '{value.name}' is {value.dtype.name.lower()}; only float32 outputs can be compiled")


def _refusal_of_values(node: ir.Node) -> str:
    """What no operator can do with its inputs and outputs."""
    outputs = [value for value in node.outputs if value.name and (value.uses() or value.is_graph_output())]
    if any(0 in shape_of(value) for value in (*node.inputs, *outputs) if value is not None and value.const_value is None):
        return "it has an empty tensor"
    if any(value is not node.outputs[0] for value in outputs) and node.op_type != "Split":
        return "only its first output is known"
    if any(value.dtype != ir.DataType.FLOAT for value in outputs) and node.op_type not in MOVES:
        return f"it computes in {outputs[0].dtype.name.lower()}"
    settings = [value for index, value in enumerate(node.inputs) if index in SETTINGS.get(node.op_type, ()) and value is not None]
    if changing := [value.name for value in settings if value.const_value is None]:
        return f"its input '{changing[0]}' is no constant"
    return ""


def _refusal(node: ir.Node) -> str:
    if node.op_type == "MatMul" and any(len(shape_of(value)) < 2 for value in node.inputs):
        return "a product with a vector"
    if node.op_type == "Resize" and not shapes.resizes_by_copy(node):
        return "only nearest neighbour by whole factors is known"
    if node.op_type == "Pad" and (mode := node.attributes.get_string("mode", "constant")) != "constant":
        return f"padding mode {mode}"
    if node.op_type == "Gather" and not _gathers_rows(node):
        return "computed indices into anything but the rows of a constant table"
    if node.op_type in ("MaxPool", "AveragePool") and (len(shape_of(node.inputs[0])) != 4 or len(node.outputs) > 1):
        return "only 2-D pools with one output are known"
    if node.op_type in ("MaxPool", "AveragePool") and 0 in window_of(node).counts():
        return "a window lies wholly in the padding"
    if node.op_type in OPERATORS or expression_of(node) is not None:
        return ""
    return "the operator is not known" if node.op_type not in ("Conv", "Gemm") else "only 2-D convolutions and products with constant fp32 weights are known"


def _gathers_rows(node: ir.Node) -> bool:
    table, index = node.inputs
    matrix = table.const_value is not None and len(shape_of(table)) == 2 and table.dtype == ir.DataType.FLOAT
    return index.const_value is not None or (matrix and node.attributes.get_int("axis", 0) in (0, -2))


def _lower_task(emitter: Emitter, task: Task, layers: dict) -> None:
    node = task.node
    if node is None:
        _lower_elementwise(emitter, task)
    elif node.name in layers:
        (lower_conv if node.op_type == "Conv" else lower_linear)(emitter, task, layers[node.name])
    else:
        OPERATORS[node.op_type](emitter, task)
        refuse_copies_of_whole_numbers(emitter, task)


def refuse_copies_of_whole_numbers(emitter: Emitter, task: Task) -> None:
    """UnsupportedOperator where an operator that moves numbers, lowered already, had to write others than fractions: workspace holds nothing else."""
    if task.node.op_type in MOVES and emitter.views[task.output].dtype != DTYPES[task.output.dtype]:
        kind = DTYPES[task.output.dtype]
        raise UnsupportedOperator(f"node '{task.name}' ({task.node.op_type}) cannot be compiled: it copies {kind}, only float32 is copied")


def _lower_elementwise(emitter: Emitter, task: Task) -> None:
    inputs = [emitter.view(value) for value in task.operands]
    image = emitter.plan.images.get(task.output)
    if image is None:
        out = emitter.like(task.shape, inputs)
        emitter.elementwise(out, inputs, task.expression)
    else:
        out = emitter.image_view(image)
        emitter.elementwise(out, inputs, task.expression)
        emitter.border(image, out, columns=True)
    emitter.views[task.output] = out


def _finish(emitter: Emitter, graph: ir.Graph) -> Program:
    starts, total = place(emitter.buffers, emitter.steps)
    constant_starts, constants = emitter.constant_regions()
    return Program(
        tuple(emitter.steps),
        tuple(emitter.buffers),
        starts | constant_starts,
        total,
        constants["values"],
        constants["indices"],
        tuple(_tensor(value) for value in graph.inputs),
        tuple(_tensor(value) for value in graph.outputs),
    )


def _tensor(value: ir.Value) -> Tensor:
    return Tensor(value.name, shape_of(value), DTYPES[value.dtype])
