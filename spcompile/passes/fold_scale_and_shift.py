"""A constant factor or term after a layer belongs to its weights and bias."""

import numpy as np
import onnx_ir as ir

from spcompile.ir.constants import add_constant, constant
from spcompile.ir.rewiring import absorb, sole_reader
from spcompile.passes.base import NodePass


class FoldScaleAndShift(NodePass):
    """Before: Add(Mul(Conv(x, w, b), s), t) -> after: Conv(x, s * w, s * b + t). Also Gemm, Sub, Div; scalars, or one number for each out channel.

    Only where the layer has no other reader. Products are rounded once, from float64.
    """

    op_types = ("Conv", "Gemm")

    def rewrite(self, node: ir.Node) -> bool:
        changed = False
        while (reader := sole_reader(node.outputs[0])) is not None and (affine := _affine(reader, node)) is not None:
            if not _fold(node, *affine):
                return changed
            absorb(reader, node.outputs[0])
            changed = True
        return changed


def _affine(reader: ir.Node, node: ir.Node) -> tuple[np.ndarray, np.ndarray] | None:
    """(scale, shift), one number for each out channel, of a node that computes scale * y + shift from the layer's y; None for any other node."""
    if reader.domain != "" or reader.op_type not in ("Mul", "Add", "Sub", "Div"):
        return None
    first = reader.inputs[0] is node.outputs[0]
    operand = _per_channel(constant(reader.inputs[1 if first else 0]), node)
    if operand is None or (reader.op_type == "Div" and not first):
        return None
    one, zero = np.ones_like(operand), np.zeros_like(operand)
    if reader.op_type == "Sub":
        return (one, -operand) if first else (-one, operand)
    return {"Mul": (operand, zero), "Div": (1 / operand, zero), "Add": (one, operand)}[reader.op_type]


def _per_channel(array: np.ndarray | None, node: ir.Node) -> np.ndarray | None:
    """float64 [out channels] if the constant, broadcast over the layer's output, varies along the channel axis alone."""
    shape = node.outputs[0].shape.numpy()
    if array is None or array.dtype != np.float32 or array.ndim > len(shape):
        return None
    padded = (1,) * (len(shape) - array.ndim) + array.shape
    if any(size != 1 for axis, size in enumerate(padded) if axis != 1):
        return None
    return np.broadcast_to(array.reshape(-1).astype(np.float64), (shape[1],))


def _fold(node: ir.Node, scale: np.ndarray, shift: np.ndarray) -> bool:
    weight, old = constant(node.inputs[1]), node.inputs[2] if len(node.inputs) > 2 else None
    if weight is None or weight.dtype != np.float32 or (old is not None and constant(old) is None):
        return False
    if not np.all(scale == 1):
        rows_last = node.op_type == "Gemm" and not node.attributes.get_int("transB", 0)
        factor = scale if rows_last else scale.reshape(-1, *(1,) * (weight.ndim - 1))
        node.replace_input_with(1, add_constant(node.graph, f"{node.inputs[1].name}_scaled", (weight * factor).astype(np.float32)))
    bias = shift if old is None else constant(old).astype(np.float64) * scale + shift
    if old is not None or np.any(shift):
        node.resize_inputs(3)
        node.replace_input_with(2, add_constant(node.graph, f"{node.name or node.outputs[0].name}_bias", bias.astype(np.float32)))
    return True
