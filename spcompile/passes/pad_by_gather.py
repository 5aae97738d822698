"""Padding with what is there already is a choice of places along each axis."""

import numpy as np
import onnx_ir as ir

from spcompile.ir.constants import constant
from spcompile.ir.rewiring import replace
from spcompile.ir.writer import Writer
from spcompile.passes.base import NodePass, nodes_of

MODES = ("reflect", "edge", "wrap")  # NumPy calls them the same


class PadByGather(NodePass):
    """Before: Pad<mode="reflect">(x, [0, 1, 0, 2]), x of shape [4, 3] -> after: Gather<axis=1>(x, [1, 0, 1, 2, 1, 0])."""

    op_types = ("Pad",)

    def rewrite(self, node: ir.Node) -> bool:
        pads = _pads(node)
        if pads is None:
            return False
        writer, value = Writer(node), node.inputs[0]
        for axis, amounts in pads.items():
            places = np.pad(np.arange(node.inputs[0].shape[axis]), amounts, node.attributes.get_string("mode"))
            value = writer.op("Gather", value, writer.held("places", places), axis=axis)
        replace(node, writer.nodes)
        return True

    def ensures(self, model: ir.Model) -> None:
        assert not any(_pads(node) for node in nodes_of(model, self.op_types))


def _pads(node: ir.Node) -> dict[int, tuple[int, int]] | None:
    """(before, after) of each axis that is padded; None where nothing is, where it is not known, or where numbers are cut off."""
    amounts, axes = (constant(node.inputs[index]) if len(node.inputs) > index else None for index in (1, 3))
    if node.attributes.get_string("mode", "constant") not in MODES or amounts is None or (len(node.inputs) > 3 and axes is None):
        return None
    rank = len(node.inputs[0].shape)
    pairs = amounts.reshape(2, -1).T.tolist()
    pads = {axis % rank: tuple(pair) for axis, pair in zip(range(rank) if axes is None else axes.tolist(), pairs, strict=True) if any(pair)}
    return pads if pads and min(map(min, pads.values())) >= 0 else None
