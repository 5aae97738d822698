"""Operators that broadcast by themselves need no input that is repeated beforehand."""

import numpy as np
import onnx_ir as ir

from spcompile.passes.base import NodePass

BROADCAST = ("Add", "Div", "Max", "Mean", "Min", "Mul", "Pow", "Sub", "Sum")


class DropExpands(NodePass):
    """Before: Add(Expand(x), y) -> after: Add(x, y). Only where the result keeps its shape, its rank included."""

    op_types = ("Expand",)

    def rewrite(self, node: ir.Node) -> bool:
        x, repeated = node.inputs[0], node.outputs[0]
        changed = False
        for reader, index in repeated.uses():
            if _broadcasts(reader, index, x):
                reader.replace_input_with(index, x)
                changed = True
        if changed and not repeated.uses() and not repeated.is_graph_output():
            node.graph.remove(node, safe=True)
        return changed


def _broadcasts(reader: ir.Node, index: int, x: ir.Value) -> bool:
    """Does the reader give as much with `x` in the place of its input?"""
    if reader.domain != "" or reader.op_type not in BROADCAST:
        return False
    shapes = [value.shape for value in (x, *reader.inputs[:index], *reader.inputs[index + 1 :], *reader.outputs)]
    if not all(shape is not None and shape.is_static() for shape in shapes):
        return False
    *inputs, output = (shape.numpy() for shape in shapes)
    return np.broadcast_shapes(*inputs) == tuple(output)
