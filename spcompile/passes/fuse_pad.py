"""Zeros around an image are part of the convolution that reads it."""

import numpy as np
import onnx_ir as ir

from spcompile.ir.constants import constant
from spcompile.ir.rewiring import bypass
from spcompile.passes.base import NodePass


class FusePad(NodePass):
    """Before: Conv<pads=0>(Pad(x, 1)) -> after: Conv<pads=1>(x). Likewise into an AveragePool that counts its padding."""

    op_types = ("Pad",)

    def rewrite(self, node: ir.Node) -> bool:
        pads = _zero_pads(node)
        readers = {use.node for use in node.outputs[0].uses()}
        if pads is None or node.outputs[0].is_graph_output() or not readers or not all(_takes(reader, node, pads) for reader in readers):
            return False
        for reader in readers:
            old = reader.attributes.get_ints("pads", [0] * len(pads))
            reader.attributes.add(ir.AttrInt64s("pads", [a + b for a, b in zip(old, pads, strict=True)]))
            if reader.op_type == "AveragePool":
                reader.attributes.add(ir.AttrInt64("count_include_pad", 1))
        return bypass(node)


def _zero_pads(node: ir.Node) -> list[int] | None:
    """[begin of each spatial axis, then end of each]; None unless it is zeros, at least none of each, around spatial axes only."""
    shape = node.inputs[0].shape
    amounts, value, axes = ([constant(v) for v in node.inputs[1:]] + [None, None, None])[:3]
    if amounts is None or node.attributes.get_string("mode", "constant") != "constant" or shape is None or (value is not None and np.any(value != 0)):
        return None
    if any(v is not None and constant(v) is None for v in node.inputs[2:]):
        return None
    pairs = np.zeros((2, len(shape)), np.int64)
    pairs[:, list(range(len(shape))) if axes is None else axes] = amounts.reshape(2, -1)
    return None if pairs.min() < 0 or pairs[:, :2].any() else pairs[:, 2:].ravel().tolist()


def _takes(reader: ir.Node, pad: ir.Node, pads: list[int]) -> bool:
    """Exact only where the reader treats its own padding as zeros that count, and where the output size cannot change."""
    if reader.domain != "" or any(value is pad.outputs[0] for value in reader.inputs[1:]) or "auto_pad" in reader.attributes:
        return False
    if reader.op_type != "AveragePool":
        return reader.op_type == "Conv"
    own = any(reader.attributes.get_ints("pads", [0]))
    counts = reader.attributes.get_int("count_include_pad", 0) or not own
    small = all(amount < size for amount, size in zip(pads, [*reader.attributes.get_ints("kernel_shape")] * 2, strict=True))  # ONNX Runtime's limit
    return bool(counts) and small and not reader.attributes.get_int("ceil_mode", 0)
