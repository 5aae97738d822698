"""Batch norm at inference is a scale and a shift."""

import numpy as np
import onnx_ir as ir

from spcompile.ir.constants import add_constant, constant
from spcompile.ir.rewiring import replace
from spcompile.passes.base import NodePass, nodes_of


class SplitBatchNorm(NodePass):
    """Before: BatchNormalization(x, gamma, beta, mean, variance) -> after: Add(Mul(x, scale), shift), constants of shape [C, 1, 1].

    scale = gamma / sqrt(variance + epsilon), shift = beta - mean * scale (Ioffe and Szegedy 2015, algorithm 2). `FoldScaleAndShift` does the rest.
    """

    op_types = ("BatchNormalization",)

    def rewrite(self, node: ir.Node) -> bool:
        parameters = [constant(value) for value in node.inputs[1:]]
        if node.attributes.get_int("training_mode", 0) or any(array is None for array in parameters):
            return False
        gamma, beta, mean, variance = (array.astype(np.float64) for array in parameters)
        scale = gamma / np.sqrt(variance + node.attributes.get_float("epsilon", 1e-5))
        column = (-1,) + (1,) * max(0, len(node.inputs[0].shape) - 2)
        constants = [
            add_constant(node.graph, f"{node.name or node.outputs[0].name}_{role}", array.astype(parameters[0].dtype).reshape(column))
            for role, array in (("scale", scale), ("shift", beta - mean * scale))
        ]
        multiply = ir.node("Mul", [node.inputs[0], constants[0]], name=f"{node.name}_scale")
        replace(node, [multiply, ir.node("Add", [multiply.outputs[0], constants[1]], name=f"{node.name}_shift")])
        return True

    def ensures(self, model: ir.Model) -> None:
        for node in nodes_of(model, self.op_types):
            assert node.attributes.get_int("training_mode", 0) or any(constant(value) is None for value in node.inputs[1:]), node.name
