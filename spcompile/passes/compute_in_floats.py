"""Truth and whole numbers are computed with as float32, which is what kernels, pruning and accelerators know."""

from collections.abc import Callable

import numpy as np
import onnx_ir as ir

from spcompile.ir.constants import constant
from spcompile.ir.indices import WHOLE, is_index
from spcompile.ir.rewiring import replace
from spcompile.passes.base import Pass
from spcompile.passes.choice import choice
from spcompile.passes.masked_rows import masked_rows
from spcompile.passes.number_writer import Known, Number, NumberWriter

MOVES = ("Concat", "Expand", "Flatten", "Gather", "Identity", "Reshape", "Slice", "Squeeze", "Transpose", "Unsqueeze")
COMPUTED = (*WHOLE, ir.DataType.BOOL)


class ComputeInFloats(Pass):
    """Before: Where(Less(x, y), -1, x) -> after: Add(Mul(n, -1), Mul(1 - n, x)), n = Sign(Relu(Sub(y, x))).

    Numbers that are not chosen are multiplied by zero, so they must be finite; constants of -infinity become the lowest number there is, unless it is
    known beforehand where they are chosen: then they are added. Whole numbers must stay below 2^24; those that index a table are cast back.
    """

    def apply(self, model: ir.Model) -> bool:
        known, size, changed = Known(), len(model.graph), False
        for node in tuple(model.graph):
            if node.domain == "" and (rule := RULES.get(node.op_type)) is not None and not is_index(node):
                changed |= _rewrite(node, known, rule)
        for node in reversed(tuple(model.graph)) if changed or len(model.graph) > size else ():
            if not any(value.uses() or value.is_graph_output() for value in node.outputs):
                model.graph.remove(node, safe=True)
        return changed


def _rewrite(node: ir.Node, known: Known, rule: Callable[[NumberWriter], Number]) -> bool:
    """True where the node gives float32, and is replaced; what stands for others is noted down."""
    writer = NumberWriter(node, known)
    result = rule(writer)
    if result is None:
        return False
    if node.outputs[0].dtype not in COMPUTED:
        if not writer.nodes:
            writer.op("Identity", result)
        replace(node, writer.nodes)
        return True
    node.graph.insert_before(node, writer.nodes)
    known.numbers[node.outputs[0]] = result
    return False


def _of_all(combine: Callable[..., ir.Value]) -> Callable[[NumberWriter], Number]:
    """A rule of what takes numbers alone."""

    def rule(writer: NumberWriter) -> Number:
        given = [writer.number(value) for value in writer.node.inputs]
        return None if None in given else combine(writer, *given)

    return rule


def _whole(writer: NumberWriter) -> Number:
    """Arithmetic of whole numbers."""
    if writer.node.outputs[0].dtype not in WHOLE:
        return None
    node = writer.node
    count = 1 if node.op_type.startswith("Reduce") else len(node.inputs)  # axes are no numbers
    given = [writer.number(value) for value in node.inputs[:count]]
    return None if None in given else writer.op(node.op_type, *given, *node.inputs[count:], **node.attributes)


def _cumulated(writer: NumberWriter) -> Number:
    """A product with a triangle of ones, the axis last but one for it."""
    node = writer.node
    axis, x, rank = constant(node.inputs[1]), writer.number(node.inputs[0]), len(node.inputs[0].shape)
    if axis is None or x is None:
        return None
    place, size = int(axis.item()) % rank, node.inputs[0].shape[int(axis.item())]
    ones = np.tri(size, k=-node.attributes.get_int("exclusive", 0), dtype=np.float32)
    triangle = writer.floats(ones.T if node.attributes.get_int("reverse", 0) else ones)
    order = [*(other for other in range(rank) if other != place), place]
    column = writer.op("Unsqueeze", writer.op("Transpose", x, perm=order), writer.held("last", [-1]))
    sums = writer.op("Squeeze", writer.op("MatMul", triangle, column), writer.held("last", [-1]))
    return writer.op("Transpose", sums, perm=np.argsort(order).tolist())


def _greater(writer: NumberWriter, a: ir.Value, b: ir.Value) -> ir.Value:
    return writer.op("Sign", writer.op("Relu", writer.op("Sub", a, b)))


def _differs(writer: NumberWriter, a: ir.Value, b: ir.Value) -> ir.Value:
    return writer.op("Sign", writer.op("Abs", writer.op("Sub", a, b)))


def _cast(writer: NumberWriter) -> Number:
    source, target = writer.node.inputs[0].dtype, writer.node.attributes.get_int("to")
    fed = writer.node.inputs[0] not in writer.known.numbers and source != ir.DataType.FLOAT  # an input of the model, or moved from one
    if (fed and target == ir.DataType.FLOAT) or target not in (*COMPUTED, ir.DataType.FLOAT):
        return None
    if (number := writer.number(writer.node.inputs[0])) is None or source == target:
        return number
    if target == ir.DataType.BOOL:
        return writer.op("Sign", writer.op("Abs", number))
    if source == ir.DataType.FLOAT:  # towards zero
        return writer.op("Mul", writer.op("Sign", number), writer.op("Floor", writer.op("Abs", number)))
    return number


def _move(writer: NumberWriter) -> Number:
    """Whole numbers that are moved as they came are left to be read where they lie."""
    node = writer.node
    if node.op_type == "Gather" and node.inputs[1] in writer.known.numbers:
        return _indexed(writer)
    count = len(node.inputs) if node.op_type == "Concat" else 1
    if not any(value in writer.known.numbers or (value.dtype == ir.DataType.BOOL and constant(value) is None) for value in node.inputs[:count]):
        return None
    given = [writer.number(value) for value in node.inputs[:count]]
    return None if None in given else writer.op(node.op_type, *given, *node.inputs[count:], **node.attributes)


def _indexed(writer: NumberWriter) -> Number:
    """Rows of a table by computed places."""
    node = writer.node
    if node.outputs[0].dtype != ir.DataType.FLOAT:
        return None
    places = writer.op("Cast", writer.known.numbers[node.inputs[1]], to=ir.DataType.INT64)
    return writer.op("Gather", node.inputs[0], places, **node.attributes)


RULES: dict[str, Callable[[NumberWriter], Number]] = {
    **dict.fromkeys(("Abs", "Add", "Max", "Min", "Mul", "Neg", "ReduceMax", "ReduceSum", "Sub"), _whole),
    "And": _of_all(lambda writer, a, b: writer.op("Mul", a, b)),
    "Cast": _cast,
    "CumSum": _cumulated,
    "Equal": _of_all(lambda writer, a, b: writer.opposite(_differs(writer, a, b))),
    "Greater": _of_all(_greater),
    "GreaterOrEqual": _of_all(lambda writer, a, b: writer.opposite(_greater(writer, b, a))),
    "IsNaN": lambda writer: masked_rows(writer, writer.node.inputs[0].producer(), writer.known.kept),
    "Less": _of_all(lambda writer, a, b: _greater(writer, b, a)),
    "LessOrEqual": _of_all(lambda writer, a, b: writer.opposite(_greater(writer, a, b))),
    "Not": _of_all(lambda writer, a: writer.opposite(a)),
    "Or": _of_all(lambda writer, a, b: writer.op("Max", a, b)),
    "Where": choice,
    "Xor": _of_all(_differs),
    **dict.fromkeys(MOVES, _move),
}
