"""Sums of many are additions of two."""

import onnx_ir as ir

from spcompile.ir.rewiring import bypass, replace
from spcompile.passes.base import NodePass, nodes_of


class SplitSum(NodePass):
    """Before: Sum(a, b, c) -> after: Add(Add(a, b), c)."""

    op_types = ("Sum",)

    def rewrite(self, node: ir.Node) -> bool:
        if len(node.inputs) == 1:
            node.op_type = "Identity"
            bypass(node)
            return True
        total, additions = node.inputs[0], []
        for index, term in enumerate(node.inputs[1:]):
            additions.append(ir.node("Add", [total, term], name=node.name if index == 0 else f"{node.name}_{index}"))
            total = additions[-1].outputs[0]
        replace(node, additions)
        return True

    def ensures(self, model: ir.Model) -> None:
        assert not nodes_of(model, self.op_types)
