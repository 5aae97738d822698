"""Padding is written as numbers."""

import onnx_ir as ir

from spcompile.passes.base import NodePass, nodes_of


class ResolveAutoPad(NodePass):
    """Before: Conv<auto_pad=SAME_UPPER>(x) -> after: Conv<pads=[0, 0, 1, 1]>(x). Formulas: ONNX operator documentation of Conv and MaxPool."""

    op_types = ("Conv", "MaxPool", "AveragePool")

    def rewrite(self, node: ir.Node) -> bool:
        mode = node.attributes.pop("auto_pad", None)
        if mode is None or mode.as_string() == "NOTSET":
            return mode is not None
        if mode.as_string() == "VALID":
            pairs = [(0, 0)] * (len(node.inputs[0].shape) - 2)
        else:
            pairs = _same(node, upper=mode.as_string() == "SAME_UPPER")
            node.attributes.pop("ceil_mode", None)  # the output size is settled
        node.attributes.add(ir.AttrInt64s("pads", [begin for begin, _ in pairs] + [end for _, end in pairs]))
        return True

    def ensures(self, model: ir.Model) -> None:
        assert not any("auto_pad" in node.attributes for node in nodes_of(model, self.op_types))


def _same(node: ir.Node, upper: bool) -> list[tuple[int, int]]:
    """(begin, end) of each spatial axis, such that output = ceil(input / stride); the odd one goes to the end for SAME_UPPER."""
    sizes = node.inputs[0].shape.numpy()[2:]
    kernel = node.attributes.get_ints("kernel_shape", node.inputs[1].shape.numpy()[2:] if node.op_type == "Conv" else None)
    strides = node.attributes.get_ints("strides", [1] * len(sizes))
    dilations = node.attributes.get_ints("dilations", [1] * len(sizes))
    totals = (max(0, (-(-size // s) - 1) * s + (k - 1) * d + 1 - size) for size, k, s, d in zip(sizes, kernel, strides, dilations, strict=True))
    return [(total // 2, total - total // 2) if upper else (total - total // 2, total // 2) for total in totals]
