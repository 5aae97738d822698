"""Host operators: single nodes of the network, run in fp32 by ONNX Runtime."""

from collections.abc import Mapping

import numpy as np
import onnx_ir as ir
from onnx import helper

from spcompile.ir.session import Session


class HostOperators:
    """Callable: (a node's name, its inputs by name) -> its outputs by name."""

    def __init__(self, model: ir.Model):
        """model: prepared."""
        self._proto = ir.to_proto(model)
        self._nodes = {node.name: node for node in self._proto.graph.node}
        graph = self._proto.graph
        self._known = {value.name: value for value in (*graph.input, *graph.output, *graph.value_info)}
        self._constants = {tensor.name: tensor for tensor in graph.initializer}
        self._sessions: dict[str, Session] = {}

    def __call__(self, name: str, feeds: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        if name not in self._sessions:
            self._sessions[name] = Session(self._alone(name))
        return self._sessions[name].run(feeds)

    def _alone(self, name: str) -> ir.Model:
        node = self._nodes[name]
        inputs = [self._known[value] for value in dict.fromkeys(node.input) if value and value not in self._constants]
        constants = [self._constants[value] for value in dict.fromkeys(node.input) if value in self._constants]
        graph = helper.make_graph([node], name, inputs, [self._known[value] for value in node.output if value], constants)
        return ir.from_proto(helper.make_model(graph, opset_imports=list(self._proto.opset_import), ir_version=self._proto.ir_version))
