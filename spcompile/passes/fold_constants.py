"""What does not depend on the input is computed now; with static shapes that is all shape arithmetic."""

import logging

import onnx_ir as ir
from onnxscript.optimizer import fold_constants

from spcompile.errors import ModelError
from spcompile.ir.constants import add_constant, constant
from spcompile.ir.quiet import quiet
from spcompile.ir.session import run
from spcompile.passes.base import Pass, nodes_of

BY_CHANCE = ("Bernoulli", "Multinomial", "RandomNormalLike", "RandomUniformLike")  # another result each time
MISTAKEN = ("BatchNormalization",)  # ONNX's reference computes another thing before opset 14 (onnx 1.23)
LARGEST_CONSTANT = 1 << 24  # elements; larger results are left to be computed at run time


class FoldConstants(Pass):
    """Before: Reshape(x, Concat(Slice(Shape(x)), [-1])) -> after: Reshape(x, [1, -1]). An If on a constant becomes its branch.

    By onnxscript; what ONNX's reference cannot compute, and it leaves (GatherElements, for one), by ONNX Runtime.
    """

    def apply(self, model: ir.Model) -> bool:
        branched = any(_has_subgraphs(node) for node in model.graph)
        limits = {"input_size_limit": LARGEST_CONSTANT, "output_size_limit": LARGEST_CONSTANT}
        with quiet(logging.getLogger("onnxscript.optimizer")):
            changed = fold_constants(model, onnx_shape_inference=True, should_fold=lambda node: node.op_type not in MISTAKEN, **limits).modified
        if branched and changed:
            model.graph = model.graph.clone()  # the nodes of a branch that is not taken would go on reading
        for node in tuple(model.graph):
            changed |= _is_constant(node) and _fold(model, node)
        return changed

    def ensures(self, model: ir.Model) -> None:
        for node in nodes_of(model, ("Shape", "Size")):
            shape = node.inputs[0].shape
            assert shape is None or not shape.is_static(), f"{node.name}: the shape of {node.inputs[0].name} is known"


def _has_subgraphs(node: ir.Node) -> bool:
    return any(attribute.type in (ir.AttributeType.GRAPH, ir.AttributeType.GRAPHS) for attribute in node.attributes.values())


def _is_constant(node: ir.Node) -> bool:
    """Of one output, which the model must not compute anew: not one of its own outputs."""
    given = [value for value in node.inputs if value is not None]
    alone = node.domain == "" and node.op_type not in BY_CHANCE and len(node.outputs) == 1 and not node.outputs[0].is_graph_output()
    fixed = bool(given) and all(constant(value) is not None for value in given)
    return alone and fixed and not _has_subgraphs(node) and sum(constant(value).size for value in given) <= LARGEST_CONSTANT


def _fold(model: ir.Model, node: ir.Node) -> bool:
    """False where ONNX Runtime does not know the operator, or its result is large."""
    output = node.outputs[0]
    y = ir.Value(name="y", type=output.type, shape=output.shape)
    inputs = {value.name: value for value in node.inputs if value is not None}
    held = {name: ir.Value(name=name, const_value=value.const_value, type=value.type, shape=value.shape) for name, value in inputs.items()}
    given = [None if value is None else held[value.name] for value in node.inputs]
    alone = ir.Node("", node.op_type, given, list(node.attributes.values()), outputs=[y], name="alone")
    graph = ir.Graph([], [y], nodes=[alone], initializers=held.values(), opset_imports=model.graph.opset_imports)
    try:
        array = run(ir.Model(graph, ir_version=model.ir_version), {})["y"]
    except ModelError:
        return False
    if array.size > LARGEST_CONSTANT:
        return False
    output.replace_all_uses_with(add_constant(model.graph, f"{output.name}_folded", array))
    model.graph.remove(node, safe=True)
    return True
