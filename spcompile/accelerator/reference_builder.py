"""What the reference networks of all precisions have in common: nodes in the order of the steps, host operators as they were."""

from abc import ABC, abstractmethod

import numpy as np
import onnx
import onnx_ir as ir
from onnx import helper, numpy_helper

from spcompile.accelerator.partition import HOST, Step
from spcompile.accelerator.quantised import Quantised


class ReferenceBuilder(ABC):
    """Builds the model once."""

    def __init__(self, network: Quantised):
        self.network = network
        self.proto = ir.to_proto(network.model)
        self.by_name = {node.name: node for node in self.proto.graph.node}
        self.nodes: list[onnx.NodeProto] = []
        self.constants: dict[str, onnx.TensorProto] = {}
        self.made: set[str] = {value.name for value in (*self.proto.graph.input, *self.proto.graph.initializer)}

    def model(self) -> ir.Model:
        for step in self.network.steps:
            if step.unit == HOST:
                self._host(step)
            else:
                self._accelerated(step)
        for value in self.proto.graph.output:
            self._real(value.name)
        graph = self.proto.graph
        read = {name for node in self.nodes for name in node.input} | {value.name for value in graph.output}
        kept = [tensor for tensor in graph.initializer if tensor.name in read]
        made = helper.make_graph(self.nodes, graph.name, list(graph.input), list(graph.output), [*kept, *self.constants.values()])
        return ir.from_proto(helper.make_model(made, opset_imports=list(self.proto.opset_import), ir_version=self.proto.ir_version))

    @abstractmethod
    def _accelerated(self, step: Step) -> None:
        """Nodes of a step that the accelerator runs."""

    @abstractmethod
    def _real(self, name: str) -> str:
        """-> the activation's name in fp32."""

    def _host(self, step: Step) -> None:
        for name in step.inputs:
            self._real(name)
        self.nodes.append(self.by_name[step.name])
        self.made.update(step.outputs)

    def _node(self, op_type: str, inputs: list[str], output: str, **attributes) -> str:
        self.nodes.append(helper.make_node(op_type, inputs, [output], **attributes))
        return output

    def _same_node(self, step: Step, numbers: str, output: str) -> None:
        """Poolings to the maximum and views do with the accelerator's numbers what they do with fp32."""
        node = onnx.NodeProto()
        node.CopyFrom(self.by_name[step.name])
        node.input[0], node.output[0] = numbers, output
        self.nodes.append(node)

    def _constant(self, name: str, array: np.ndarray) -> str:
        self.constants.setdefault(name, numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name
