"""Attention's softmax answers rows that are masked altogether with NaN; torch exports a guard against that (`_safe_softmax` of its attention)."""

import numpy as np
import onnx_ir as ir

from spcompile.ir.constants import constant
from spcompile.ir.writer import Writer


def masked_rows(writer: Writer, softmax: ir.Node | None, kept: dict[ir.Value, ir.Value | None]) -> ir.Value | None:
    """1 for rows of the last axis that computed masks mask altogether, and 0 elsewhere; None for what is not known, or is masked so by a constant.

    kept: of computed masks, 1 where they are not -infinity and 0 where they should be (they hold the lowest number there, so no softmax is NaN); None for
    those that never are. What masks are added to is taken to be finite.
    """
    if softmax is None or softmax.op_type != "Softmax" or softmax.attributes.get_int("axis", -1) not in (-1, len(softmax.outputs[0].shape) - 1):
        return None
    found = _masks(softmax.inputs[0], kept)
    if found is None or len(found) > 1:
        return None
    array = constant(found[0]) if found else np.float32(0)
    if array is not None:
        return None if np.isneginf(np.atleast_1d(array)).all(-1).any() else writer.held("none", np.float32(0))
    any_kept = writer.op("ReduceMax", kept[found[0]], writer.held("last", [-1]))
    return writer.op("Sub", writer.held("one", np.float32(1)), any_kept)


def _masks(scores: ir.Value, kept: dict[ir.Value, ir.Value | None]) -> list[ir.Value] | None:
    """Those with -infinity that are added to a product; None where anything else is done to it that may give infinity."""
    node = scores.producer()
    if node is None or node.op_type not in ("MatMul", "Mul", "Div", "Add"):
        return None
    if node.op_type == "MatMul":
        return []
    swapped = node.op_type != "Div" and (constant(node.inputs[0]) is not None or node.inputs[0] in kept)
    value, other = node.inputs[swapped], node.inputs[not swapped]
    array, before = constant(other), _masks(value, kept)
    if before is None or (array is None and other not in kept) or (array is not None and (np.isnan(array).any() or np.isposinf(array).any())):
        return None
    masks = kept[other] is not None if array is None else bool(np.isneginf(array).any())
    if node.op_type == "Add":
        return [*before, other] if masks else before
    return None if masks or before or (node.op_type == "Div" and not np.all(array)) else before
