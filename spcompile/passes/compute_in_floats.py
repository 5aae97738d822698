"""Truth and whole numbers are computed with as float32, which is what kernels, pruning and accelerators know."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import onnx_ir as ir

from spcompile.ir.constants import constant
from spcompile.ir.indices import WHOLE, is_index
from spcompile.ir.rewiring import replace
from spcompile.ir.writer import Writer
from spcompile.passes.base import Pass
from spcompile.passes.masked_rows import masked_rows

MOVES = ("Concat", "Expand", "Flatten", "Gather", "Identity", "Reshape", "Slice", "Squeeze", "Transpose", "Unsqueeze")
LOWEST = np.finfo(np.float32).min
COMPUTED = (*WHOLE, ir.DataType.BOOL)
Number = ir.Value | None  # of float32, for a value of booleans or whole numbers; None where there is none


class ComputeInFloats(Pass):
    """Before: Where(Less(x, y), -1, x) -> after: Add(Mul(n, -1), Mul(1 - n, x)), n = Sign(Relu(Sub(y, x))).

    Numbers that are not chosen are multiplied by zero, so they must be finite; constants of -infinity become the lowest number there is, unless it is
    known beforehand where they are chosen: then they are added. Whole numbers must stay below 2^24; those that index a table are cast back.
    """

    def apply(self, model: ir.Model) -> bool:
        known, size, changed = _Known(), len(model.graph), False
        for node in tuple(model.graph):
            if node.domain == "" and (rule := RULES.get(node.op_type)) is not None and not is_index(node):
                changed |= _rewrite(node, known, rule)
        for node in reversed(tuple(model.graph)) if changed or len(model.graph) > size else ():
            if not any(value.uses() or value.is_graph_output() for value in node.outputs):
                model.graph.remove(node, safe=True)
        return changed


@dataclass
class _Known:
    """Of values by value."""

    numbers: dict[ir.Value, ir.Value] = field(default_factory=dict)  # what stands for booleans and whole numbers
    opposites: dict[ir.Value, ir.Value] = field(default_factory=dict)
    kept: dict[ir.Value, Number] = field(default_factory=dict)  # of a choice between constants: 0 where it is -infinity, else 1; None where it never is


class _Writer(Writer):
    """Writes nodes in the place of one that reads or gives booleans."""

    def __init__(self, node: ir.Node, known: _Known):
        super().__init__(node)
        self.known = known

    def floats(self, array) -> ir.Value:
        return self.held("numbers", np.asarray(array, np.float32))

    def number(self, value: ir.Value) -> Number:
        """What stands for booleans and whole numbers; of numbers, these."""
        array = constant(value)
        if array is not None:
            return value if array.dtype == np.float32 else self.floats(array)
        if value.dtype == ir.DataType.FLOAT:
            return value
        if value not in self.known.numbers and (value.dtype in WHOLE or value.is_graph_input()):
            return self.op("Cast", value, to=ir.DataType.FLOAT)
        return self.known.numbers.get(value)

    def opposite(self, number: ir.Value) -> ir.Value:
        if (array := constant(number)) is not None:
            return self.floats(1 - array)
        if number not in self.known.opposites:
            opposite = self.op("Sub", self.floats(1), number)
            self.known.opposites |= {number: opposite, opposite: number}
        return self.known.opposites[number]


def _rewrite(node: ir.Node, known: _Known, rule: Callable[[_Writer], Number]) -> bool:
    """True where the node gives float32, and is replaced; what stands for others is noted down."""
    writer = _Writer(node, known)
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


def _of_all(combine: Callable[..., ir.Value]) -> Callable[[_Writer], Number]:
    """A rule of what takes numbers alone."""

    def rule(writer: _Writer) -> Number:
        given = [writer.number(value) for value in writer.node.inputs]
        return None if None in given else combine(writer, *given)

    return rule


def _whole(writer: _Writer) -> Number:
    """Arithmetic of whole numbers."""
    if writer.node.outputs[0].dtype not in WHOLE:
        return None
    node = writer.node
    count = 1 if node.op_type.startswith("Reduce") else len(node.inputs)  # axes are no numbers
    given = [writer.number(value) for value in node.inputs[:count]]
    return None if None in given else writer.op(node.op_type, *given, *node.inputs[count:], **node.attributes)


def _cumulated(writer: _Writer) -> Number:
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


def _greater(writer: _Writer, a: ir.Value, b: ir.Value) -> ir.Value:
    return writer.op("Sign", writer.op("Relu", writer.op("Sub", a, b)))


def _differs(writer: _Writer, a: ir.Value, b: ir.Value) -> ir.Value:
    return writer.op("Sign", writer.op("Abs", writer.op("Sub", a, b)))


def _cast(writer: _Writer) -> Number:
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


def _move(writer: _Writer) -> Number:
    """Whole numbers that are moved as they came are left to be read where they lie."""
    node = writer.node
    if node.op_type == "Gather" and node.inputs[1] in writer.known.numbers:
        return _indexed(writer)
    count = len(node.inputs) if node.op_type == "Concat" else 1
    if not any(value in writer.known.numbers or (value.dtype == ir.DataType.BOOL and constant(value) is None) for value in node.inputs[:count]):
        return None
    given = [writer.number(value) for value in node.inputs[:count]]
    return None if None in given else writer.op(node.op_type, *given, *node.inputs[count:], **node.attributes)


def _indexed(writer: _Writer) -> Number:
    """Rows of a table by computed places."""
    node = writer.node
    if node.outputs[0].dtype != ir.DataType.FLOAT:
        return None
    places = writer.op("Cast", writer.known.numbers[node.inputs[1]], to=ir.DataType.INT64)
    return writer.op("Gather", node.inputs[0], places, **node.attributes)


def _where(writer: _Writer) -> Number:
    condition, left, right = writer.node.inputs
    chosen = writer.number(condition)
    left, right = (writer.number(value) for value in (left, right))
    if chosen is None or left is None or right is None or not (constant(chosen) is not None or _are_finite(left, right)):
        return None
    other = writer.opposite(chosen)
    terms = [_term(writer, chosen, left, right), _term(writer, other, right, left)]
    result = next((terms[1 - place] for place in (0, 1) if _is_zero(terms[place])), None) or writer.op("Add", *terms)
    if constant(left) is not None and constant(right) is not None:
        masked = [other if place == 0 else chosen for place, value in enumerate((left, right)) if np.isneginf(constant(value)).all()]
        writer.known.kept[result] = masked[0] if masked else None
    return result


def _is_zero(term: ir.Value) -> bool:
    """A number that may be left out of a sum."""
    array = constant(term)
    return array is not None and array.size == 1 and not array.any()


def _are_finite(*values: ir.Value) -> bool:
    """But for -infinity."""
    return all(bool((constant(value) < np.inf).all()) for value in values if constant(value) is not None)


def _term(writer: _Writer, chosen: ir.Value, value: ir.Value, other: ir.Value) -> ir.Value:
    """`value` where it is chosen and zero elsewhere; all of it where the other, where that is chosen, is -infinity, which swallows it."""
    mask, array, swallows = constant(chosen), constant(value), constant(other)
    if array is not None and array.size == 1 and not array.any():
        return writer.floats(0)
    if mask is not None and mask.size == 1 and mask.all():
        return value
    if mask is not None and array is not None:
        return writer.floats(np.where(mask, array, 0))
    if mask is not None and swallows is not None and np.all(np.isneginf(swallows) | (mask != 0)):
        return value
    return writer.op("Mul", chosen, value if array is None else writer.floats(np.maximum(array, LOWEST)))


RULES: dict[str, Callable[[_Writer], Number]] = {
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
    "Where": _where,
    "Xor": _of_all(_differs),
    **dict.fromkeys(MOVES, _move),
}
