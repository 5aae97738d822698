"""A constant factor or term after a layer belongs to its weights and bias."""

import numpy as np
import onnx_ir as ir

from spcompile.ir.constants import add_constant, constant, rewrite_constant
from spcompile.ir.finite import is_mask
from spcompile.ir.rewiring import absorb, sole_reader
from spcompile.passes.base import NodePass


class FoldScaleAndShift(NodePass):
    """Before: Add(Mul(Conv(x, w, b), s), t) -> after: Conv(x, s * w, s * b + t). Also ConvTranspose, Gemm, Sub, Div; scalars, or one number a channel.

    Only where the layer has no other reader, and no mask of -infinity. The whole chain is folded in float64 and rounded once.
    """

    op_types = ("Conv", "ConvTranspose", "Gemm")

    def rewrite(self, node: ir.Node) -> bool:
        if not _has_constant_weights(node):
            return False
        readers, value = [], node.outputs[0]
        scale, shift = np.ones(value.shape[1]), np.zeros(value.shape[1])
        while (reader := sole_reader(value)) is not None and (affine := _affine(reader, value, node.outputs[0].shape.numpy())) is not None:
            readers.append(reader)
            scale, shift, value = scale * affine[0], shift * affine[0] + affine[1], reader.outputs[0]
        if not readers:
            return False
        _fold(node, scale, shift)
        for reader in readers:
            absorb(reader, node.outputs[0])
        return True


def _has_constant_weights(node: ir.Node) -> bool:
    arrays = [constant(value) for value in node.inputs[1:] if value is not None]
    return all(array is not None and array.dtype == np.float32 for array in arrays)


def _affine(reader: ir.Node, value: ir.Value, shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray] | None:
    """(scale, shift), one number for each out channel, of a node that computes scale * value + shift; None for any other node."""
    if reader.domain != "" or reader.op_type not in ("Mul", "Add", "Sub", "Div"):
        return None
    first = reader.inputs[0] is value
    operand = _per_channel(constant(reader.inputs[1 if first else 0]), shape)
    if operand is None or is_mask(operand) or (reader.op_type == "Div" and not (first and operand.all())):
        return None
    one, zero = np.ones_like(operand), np.zeros_like(operand)
    if reader.op_type == "Sub":
        return (one, -operand) if first else (-one, operand)
    if reader.op_type == "Div":
        return 1 / operand, zero
    return (operand, zero) if reader.op_type == "Mul" else (one, operand)


def _per_channel(array: np.ndarray | None, shape: tuple[int, ...]) -> np.ndarray | None:
    """float64 [out channels] if the constant, broadcast over the layer's output shape, varies along the channel axis alone, and makes no more
    channels of one."""
    if array is None or array.dtype != np.float32 or array.ndim > len(shape):
        return None
    padded = (1,) * (len(shape) - array.ndim) + array.shape
    if any(size != 1 for axis, size in enumerate(padded) if axis != 1) or array.size not in (1, shape[1]):
        return None
    return np.broadcast_to(array.reshape(-1).astype(np.float64), (shape[1],))


def _fold(node: ir.Node, scale: np.ndarray, shift: np.ndarray) -> None:
    weight = constant(node.inputs[1])
    if np.any(scale != 1):
        rewrite_constant([(node, 1)], _scaled(node, weight, scale))
    if len(node.inputs) > 2 and node.inputs[2] is not None:
        rewrite_constant([(node, 2)], constant(node.inputs[2]) * scale + shift)
    elif np.any(shift):
        node.resize_inputs(3)
        node.replace_input_with(2, add_constant(node.graph, f"{node.name or node.outputs[0].name}_bias", shift.astype(np.float32)))


def _scaled(node: ir.Node, weight: np.ndarray, scale: np.ndarray) -> np.ndarray:
    if node.op_type == "Gemm" and not node.attributes.get_int("transB", 0):
        return weight * scale
    if node.op_type == "ConvTranspose":  # [in channels, out channels of a group, ...]
        groups = node.attributes.get_int("group", 1)
        return (weight.reshape(groups, -1, *weight.shape[1:]) * scale.reshape(groups, 1, -1, *(1,) * (weight.ndim - 2))).reshape(weight.shape)
    return weight * scale.reshape(-1, *(1,) * (weight.ndim - 1))
