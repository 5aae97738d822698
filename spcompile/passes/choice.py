"""Where, of numbers: a sum of both sides, each times 0 or 1."""

import numpy as np
import onnx_ir as ir

from spcompile.ir.constants import constant
from spcompile.passes.number_writer import Number, NumberWriter

LOWEST = np.finfo(np.float32).min


def choice(writer: NumberWriter) -> Number:
    """None where a side is not known, or holds NaN or infinity that may not be chosen. Choices between constants are noted down, see `Known.kept`."""
    condition, left, right = writer.node.inputs
    chosen = writer.number(condition)
    left, right = (writer.number(value) for value in (left, right))
    if chosen is None or left is None or right is None or not (constant(chosen) is not None or _are_finite(left, right)):
        return None
    other, shapes = writer.opposite(chosen), [value.shape.numpy() for value in writer.node.inputs]
    terms = [_term(writer, chosen, left, right), _term(writer, other, right, left)]
    alone = [terms[1 - place] for place in (0, 1) if _is_zero(terms[place]) and np.broadcast_shapes(shapes[0], shapes[2 - place]) == _shape(writer)]
    result = alone[0] if alone else writer.op("Add", *terms)
    if constant(left) is not None and constant(right) is not None:
        masked = [other if place == 0 else chosen for place, value in enumerate((left, right)) if np.isneginf(constant(value)).all()]
        writer.known.kept[result] = masked[0] if masked else None
    return result


def _shape(writer: NumberWriter) -> tuple[int, ...]:
    return writer.node.outputs[0].shape.numpy()


def _is_zero(term: ir.Value) -> bool:
    """A number that may be left out of a sum."""
    array = constant(term)
    return array is not None and array.size == 1 and not array.any()


def _are_finite(*values: ir.Value) -> bool:
    """But for -infinity."""
    return all(bool((constant(value) < np.inf).all()) for value in values if constant(value) is not None)


def _term(writer: NumberWriter, chosen: ir.Value, value: ir.Value, other: ir.Value) -> ir.Value:
    """`value` where it is chosen and zero elsewhere; all of it where it always is, or where what is chosen elsewhere is -infinity, which swallows it."""
    mask, array, swallows = constant(chosen), constant(value), constant(other)
    if array is not None and array.size == 1 and not array.any():
        return writer.floats(array)
    if mask is not None and array is not None:
        return writer.floats(np.where(mask, array, 0))
    whole = mask is not None and (mask.all() or (swallows is not None and np.all(np.isneginf(swallows) | (mask != 0))))
    if whole and value.shape is not None and value.shape.numpy() == _shape(writer):
        return value
    return writer.op("Mul", chosen, value if array is None else writer.floats(np.maximum(array, LOWEST)))
