"""What cannot be compiled is named, with the reason, before anything long starts."""

import onnx_ir as ir

from spcompile.errors import UnsupportedOperator
from spcompile.ir.indices import is_index
from spcompile.ir.layers import find_layers
from spcompile.ir.resizing import repeats_elements
from spcompile.lowering.elementwise_ops import BUILDERS, expression_of
from spcompile.lowering.emitter import DTYPES, Emitter
from spcompile.lowering.geometry import window_of
from spcompile.lowering.operators import OPERATORS
from spcompile.lowering.tasks import Task, shape_of
from spcompile.passes.unroll_recurrent import MOST_STEPS

# Operators that may move whole numbers, since a view of them is enough.
MOVES = ("Expand", "Flatten", "Gather", "Identity", "Reshape", "Slice", "Split", "Squeeze", "Transpose", "Unsqueeze")
SETTINGS = {  # inputs that must be constants: they decide which code is emitted
    "Pad": (1, 2, 3),
    "Slice": (1, 2, 3, 4),
    **{name: (1,) for name in OPERATORS if name.startswith("Reduce")},
}

REWRITTEN = {  # what passes leave of operators that they rewrite
    "ConvTranspose": "only 2-D ones with constant weights, whose padding can be shared out evenly, are known",
    "Einsum": "only products of two operands, without diagonals, are known",
    "GatherElements": "only of a constant that is the same everywhere",
    "GatherND": "only places that are known beforehand",
    **dict.fromkeys(
        ("GRU", "LSTM", "RNN"),
        f"only sequences of one length and at most {MOST_STEPS} steps, the batch second, no clipping, no peepholes, plain activations, are known",
    ),
    "IsNaN": "only the guard of attention's softmax is known, where no row is masked altogether by a constant",
    "Where": "only a choice between finite numbers, or one with -infinity, is known",
}


def check_operators(model: ir.Model) -> None:
    """Name the first input, node or output that cannot be compiled, before anything long starts."""
    layers = {layer.name for layer in find_layers(model)}
    for value in model.graph.inputs:
        if value.dtype not in DTYPES:
            raise UnsupportedOperator(f"input '{value.name}' is {value.dtype.name.lower()}; known are {', '.join(DTYPES.values())}: convert the model")
    for node in model.graph:
        if reason := _unknown(node) or _refusal_of_values(node) or ("" if node.name in layers else _refusal(node)):
            raise UnsupportedOperator(f"node '{node.name}' ({node.op_type}) cannot be compiled: {reason}; docs/main-job.md lists the operators that can")
    for value in model.graph.outputs:
        if value.dtype != ir.DataType.FLOAT:
            raise UnsupportedOperator(f"output '{value.name}' is {value.dtype.name.lower()}; only float32 outputs can be compiled")


def _unknown(node: ir.Node) -> str:
    if node.op_type == "Constant":
        return f"the model's output '{node.outputs[0].name}' is always the same: hold it as an initializer, or leave it out"
    known = node.domain in ("", "ai.onnx") and node.op_type in (*OPERATORS, *BUILDERS, "Conv", "Gemm")
    return "" if known else REWRITTEN.get(node.op_type, "the operator is not known")


def _refusal_of_values(node: ir.Node) -> str:
    """What no operator can do with its inputs and outputs."""
    outputs = [value for value in node.outputs if value.name and (value.uses() or value.is_graph_output())]
    if any(0 in shape_of(value) for value in (*node.inputs, *outputs) if value is not None and value.const_value is None):
        return "it has an empty tensor"
    if any(value is not node.outputs[0] for value in outputs) and node.op_type != "Split":
        return "only its first output is known"
    if any(value.dtype != ir.DataType.FLOAT for value in outputs) and node.op_type not in MOVES and not is_index(node):
        return f"it computes in {outputs[0].dtype.name.lower()}"
    settings = [value for index, value in enumerate(node.inputs) if index in SETTINGS.get(node.op_type, ()) and value is not None]
    if changing := [value.name for value in settings if value.const_value is None]:
        return f"its input '{changing[0]}' is no constant"
    return ""


def _refusal(node: ir.Node) -> str:
    if node.op_type == "MatMul" and any(len(shape_of(value)) < 2 for value in node.inputs):
        return "a product with a vector"
    if node.op_type == "Resize" and not repeats_elements(node):
        return "cropping, factors that keep an aspect ratio and computed sizes are not known"
    if node.op_type == "Pad" and (mode := node.attributes.get_string("mode", "constant")) != "constant":
        return f"padding mode {mode}, where it also cuts off or its amounts are no constants"
    if node.op_type == "Gather" and not _gathers_rows(node):
        return "computed indices into anything but the rows of a constant table"
    if node.op_type in ("MaxPool", "AveragePool") and (len(shape_of(node.inputs[0])) != 4 or len(node.outputs) > 1):
        return "only 2-D pools with one output are known"
    if node.op_type in ("MaxPool", "AveragePool") and 0 in window_of(node).counts():
        return "a window lies wholly in the padding"
    if node.op_type == "Clip" and expression_of(node) is None:
        return "only bounds that are constant numbers are known"
    return "only 2-D convolutions and products with constant fp32 weights are known" if node.op_type in ("Conv", "Gemm") else ""


def _gathers_rows(node: ir.Node) -> bool:
    table, index = node.inputs
    matrix = table.const_value is not None and len(shape_of(table)) == 2 and table.dtype == ir.DataType.FLOAT
    return index.const_value is not None or (matrix and node.attributes.get_int("axis", 0) in (0, -2))


def refuse_copies_of_whole_numbers(emitter: Emitter, task: Task) -> None:
    """UnsupportedOperator where an operator that moves numbers, lowered already, had to write others than fractions: workspace holds nothing else."""
    if task.node.op_type in MOVES and emitter.views[task.output].dtype != DTYPES[task.output.dtype]:
        kind = DTYPES[task.output.dtype]
        raise UnsupportedOperator(f"node '{task.name}' ({task.node.op_type}) cannot be compiled: it copies {kind}, only float32 is copied")
