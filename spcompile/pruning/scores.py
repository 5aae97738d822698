"""The network's outputs as errors are best read on them."""

import numpy as np
import onnx_ir as ir

from spcompile.ir.constants import add_constant
from spcompile.ir.rewiring import replace

MOVES = ("Flatten", "Identity", "Reshape", "Squeeze", "Transpose", "Unsqueeze")
PROBABILITIES = ("LogSoftmax", "Softmax")


def scored(model: ir.Model) -> ir.Model:
    """A copy that ends in scores where `model` (prepared) ends in probabilities: softmax(x) becomes x minus its mean over the classes.

    Of a confident network's probabilities hardly any moves before some flip, so what a few samples show of an error is noise; scores move with every
    weight. Softmax does not see what the scores of one position have in common, therefore their mean goes.
    """
    model = model.clone()
    for output in model.graph.outputs:
        node = _before_moves(output)
        if node is not None and node.op_type in PROBABILITIES and _one_reader(node.outputs[0]):
            _centre(node)
    return model


def _before_moves(value: ir.Value) -> ir.Node | None:
    """The node whose result `value` is, as it is or moved about for nobody else."""
    node = value.producer()
    while node is not None and node.op_type in MOVES and node.inputs[0] is not None and _one_reader(node.inputs[0]):
        node = node.inputs[0].producer()
    return node


def _one_reader(value: ir.Value) -> bool:
    return len(value.uses()) + value.is_graph_output() == 1


def _centre(node: ir.Node) -> None:
    scores, axis = node.inputs[0], node.attributes.get_int("axis", -1)
    name = node.name or node.outputs[0].name
    mean = ir.node("ReduceMean", [scores, add_constant(node.graph, f"{name}_axis", np.array([axis]))], {"keepdims": 1}, name=f"{name}_mean")
    shape = list(scores.shape.numpy())
    shape[axis] = 1
    mean.outputs[0].name, mean.outputs[0].type, mean.outputs[0].shape = f"{name}_mean", scores.type, ir.Shape(shape)
    replace(node, [mean, ir.node("Sub", [scores, mean.outputs[0]], name=f"{name}_centred")])
