"""Every node can be called by its name."""

import onnx_ir as ir
from onnx_ir.passes.common import NameFixPass

from spcompile.passes.base import Pass


class SettleNames(Pass):
    """Before: nodes without a name, or two of one name -> after: Conv, Conv_1, Conv_2; a name that is there and unique stays."""

    def apply(self, model: ir.Model) -> bool:
        return NameFixPass(_OperatorNames())(model).modified

    def ensures(self, model: ir.Model) -> None:
        names = [node.name for node in model.graph]
        assert all(names) and len(set(names)) == len(names), sorted(names)


class _OperatorNames:
    """What onnx_ir's NameFixPass asks for names."""

    def generate_node_name(self, node: ir.Node) -> str:
        return node.name or node.op_type

    def generate_value_name(self, value: ir.Value) -> str:
        producer = value.producer()
        return value.name or (f"{producer.name or producer.op_type}_out" if producer is not None else "value")
