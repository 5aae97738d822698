"""Nothing that no output needs."""

import onnx_ir as ir
from onnx_ir.passes.common import ClearMetadataAndDocStringPass, RemoveUnusedNodesPass, RemoveUnusedOpsetsPass, TopologicalSortPass

from spcompile.passes.base import Pass

STEPS = (RemoveUnusedNodesPass(), RemoveUnusedOpsetsPass(), TopologicalSortPass(), ClearMetadataAndDocStringPass())


class RemoveDead(Pass):
    """Before: nodes and initializers nobody reads, exporter's notes on each node -> after: neither; nodes in an order in which they can run."""

    def apply(self, model: ir.Model) -> bool:
        results = [step(model) for step in STEPS]
        return any(result.modified for result in results)

    def ensures(self, model: ir.Model) -> None:
        for value in model.graph.initializers.values():
            assert value.uses() or value.is_graph_output(), value.name
        for node in model.graph:
            assert any(value.uses() or value.is_graph_output() for value in node.outputs), node.name
