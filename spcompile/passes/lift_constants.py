"""One way to hold a constant: the initializer."""

import onnx_ir as ir
from onnx_ir.passes.common import LiftConstantsToInitializersPass, RemoveInitializersFromInputsPass

from spcompile.passes.base import Pass, nodes_of


class LiftConstants(Pass):
    """Before: Constant nodes, initializers that double as inputs -> after: initializers only. A Constant that is itself an output of the graph stays."""

    def apply(self, model: ir.Model) -> bool:
        listed = RemoveInitializersFromInputsPass()(model).modified
        lifted = LiftConstantsToInitializersPass(lift_all_constants=True, size_limit=0)(model).modified
        return listed or lifted

    def ensures(self, model: ir.Model) -> None:
        assert all(node.outputs[0].is_graph_output() for node in nodes_of(model, ("Constant",)))
        assert not any(value.is_initializer() for value in model.graph.inputs)
