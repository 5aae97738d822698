"""What every pass is: an onnx_ir pass that changes a model in place and keeps a promise about it."""

from abc import abstractmethod
from collections.abc import Sequence

import onnx_ir as ir


class Pass(ir.passes.InPlacePass):
    """`apply` does the work. Override `requires` and `ensures` with asserts: the first runs before, the second after, and again when all passes have run."""

    @abstractmethod
    def apply(self, model: ir.Model) -> bool:
        """Change the model; True if anything changed. A model we cannot take raises a ModelError here, never in `ensures`."""

    def call(self, model: ir.Model) -> ir.passes.PassResult:
        return ir.passes.PassResult(model, self.apply(model))


class NodePass(Pass):
    """A pass that looks at one node at a time, in graph order, in the main graph; nodes it inserts are not visited."""

    op_types: tuple[str, ...] = ()  # of ONNX's own domain

    @abstractmethod
    def rewrite(self, node: ir.Node) -> bool:
        """Rewrite the graph around `node`; True if anything changed."""

    def apply(self, model: ir.Model) -> bool:
        changed = False
        for node in tuple(nodes_of(model, self.op_types)):
            if node.graph is not None:  # not removed by an earlier rewrite
                changed |= self.rewrite(node)
        return changed


def nodes_of(model: ir.Model, op_types: Sequence[str]) -> list[ir.Node]:
    """Nodes of the main graph whose operator is one of ONNX's `op_types`."""
    return [node for node in model.graph if node.domain == "" and node.op_type in op_types]
