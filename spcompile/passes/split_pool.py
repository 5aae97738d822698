"""Pools of large windows take one axis after the other, or all of an image at once: kernels spell every tap of a window out."""

import math

import onnx_ir as ir

from spcompile.ir.rewiring import replace
from spcompile.passes.base import NodePass, nodes_of

MOST_TAPS = 64
GLOBAL = {"MaxPool": "GlobalMaxPool", "AveragePool": "GlobalAveragePool"}
PER_AXIS = {"kernel_shape": 1, "strides": 1, "dilations": 1, "pads": 0}  # and what leaves an axis as it is
PER_NODE = ("ceil_mode", "count_include_pad")


class SplitPool(NodePass):
    """Before: MaxPool<kernel_shape=[9, 9]>(x) -> after: MaxPool<kernel_shape=[1, 9]>(MaxPool<kernel_shape=[9, 1]>(x)), or GlobalMaxPool(x).

    What an average is divided by is a product of one number per axis, too, however it counts its padding.
    """

    op_types = ("MaxPool", "AveragePool")

    def rewrite(self, node: ir.Node) -> bool:
        if not _is_split(node):
            return False
        x = node.inputs[0]
        if _is_global(node):
            replace(node, [ir.node(GLOBAL[node.op_type], [x], name=node.name)])
            return True
        rows = ir.node(node.op_type, [x], _along(node, 0), name=f"{node.name}_rows")
        rows.outputs[0].shape = ir.Shape([*node.outputs[0].shape[:3], x.shape[3]])
        columns = ir.node(node.op_type, rows.outputs, _along(node, 1), name=node.name)
        replace(node, [rows, columns])
        for part in (rows, columns):  # it may be all of what there is along its axis
            self.rewrite(part)
        return True

    def ensures(self, model: ir.Model) -> None:
        assert not any(_is_split(node) for node in nodes_of(model, self.op_types))


def _is_split(node: ir.Node) -> bool:
    kernel = node.attributes.get_ints("kernel_shape")
    large = math.prod(kernel) > MOST_TAPS and len(node.outputs) == 1
    return large and (_is_global(node) or (len(kernel) == 2 and min(kernel) > 1))


def _is_global(node: ir.Node) -> bool:
    """Is there one window, of exactly the image?"""
    inside = not any(node.attributes.get_ints("pads", ())) and max(node.attributes.get_ints("dilations", (1,))) == 1
    return inside and tuple(node.attributes.get_ints("kernel_shape")) == tuple(node.inputs[0].shape.numpy()[2:])


def _along(node: ir.Node, axis: int) -> dict[str, int | list[int]]:
    """The node's attributes for one axis of two; pads are a begin and an end for each."""
    given = {name: node.attributes.get_ints(name) for name in PER_AXIS if name in node.attributes}
    ints = {name: [value if place % 2 == axis else PER_AXIS[name] for place, value in enumerate(values)] for name, values in given.items()}
    return ints | {name: node.attributes.get_int(name) for name in PER_NODE if name in node.attributes}
