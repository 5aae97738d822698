"""Nodes that hand their input on unchanged."""

import numpy as np
import onnx_ir as ir

from spcompile.errors import ModelError
from spcompile.ir.constants import constant
from spcompile.ir.rewiring import bypass
from spcompile.passes.base import NodePass, nodes_of


class DropNoOps(NodePass):
    """Before: Relu(Identity(Pad(x, zeros))) -> after: Relu(x). Only the Identity that joins an input or a constant to an output stays."""

    op_types = (
        *("Identity", "Dropout", "Cast"),
        *("Reshape", "Flatten", "Squeeze", "Unsqueeze", "Expand", "Tile", "Concat", "Pad", "Slice", "Transpose"),
        *("Mul", "Div", "Add", "Sub"),
    )

    def rewrite(self, node: ir.Node) -> bool:
        if not _is_no_op(node):
            return False
        return bypass(node)

    def ensures(self, model: ir.Model) -> None:
        for node in nodes_of(model, ("Identity",)):
            source = node.inputs[0]
            assert node.outputs[0].is_graph_output() and (source.producer() is None or source.is_graph_output()), node.name
        assert not nodes_of(model, ("Dropout",))


def _is_no_op(node: ir.Node) -> bool:
    if node.op_type == "Identity":
        return True
    if node.op_type == "Dropout":
        training = node.inputs[2] if len(node.inputs) > 2 else None
        if training is not None and (constant(training) is None or constant(training)):
            raise ModelError(f"node '{node.name or node.outputs[0].name}' (Dropout) is in training mode; export the model in evaluation mode")
        return True
    return _same_type(node) and _TESTS.get(node.op_type, lambda node: True)(node)


def _same_type(node: ir.Node) -> bool:
    source, target = node.inputs[0], node.outputs[0]
    known = source is not None and source.shape is not None and source.shape.is_static() and source.shape == target.shape
    return known and source.dtype == target.dtype


def _holds(number: float, at: int):
    """A test that input `at` is a constant of this one number; an absent one, left out or nameless, counts as that."""

    def test(node: ir.Node) -> bool:
        value = node.inputs[at] if len(node.inputs) > at else None
        array = constant(value)
        return value is None or (array is not None and bool(np.all(array == number)))

    return test


def _keeps_order(node: ir.Node) -> bool:
    order = list(node.attributes.get_ints("perm", range(len(node.inputs[0].shape))[::-1]))
    return order == sorted(order)


_TESTS = {  # beyond equal shape and type; operators not named here need no more
    "Concat": lambda node: len(node.inputs) == 1,
    "Pad": _holds(0, at=1),
    "Slice": _holds(1, at=4),
    "Transpose": _keeps_order,
    "Mul": _holds(1, at=1),
    "Div": _holds(1, at=1),
    "Add": _holds(0, at=1),
    "Sub": _holds(0, at=1),
}
