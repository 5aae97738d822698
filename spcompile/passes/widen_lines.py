"""Convolutions and pools along one axis are those of images one pixel high."""

import numpy as np
import onnx_ir as ir

from spcompile.ir.constants import add_constant, constant
from spcompile.ir.rewiring import put_behind
from spcompile.passes.base import NodePass, nodes_of

HEIGHT = 2  # the axis that is put in: [N, C, L] -> [N, C, 1, L]
PER_AXIS = {"kernel_shape": 1, "strides": 1, "dilations": 1, "output_padding": 0, "output_shape": 1}  # and what leaves an axis as it is
WEIGHTED = ("Conv", "ConvTranspose")
WINDOWS = (*WEIGHTED, "AveragePool", "MaxPool")
BETWEEN = (  # what images go through as lines do: operators that compute number by number, or treat channels apart
    *("Abs", "Add", "BatchNormalization", "Clip", "Concat", "Div", "Elu", "Erf", "Exp", "Floor", "Gelu", "HardSigmoid", "HardSwish", "LeakyRelu", "Log", "Max"),
    *("Min", "Mul", "Neg", "PRelu", "Pow", "Reciprocal", "Relu", "Sigmoid", "Sqrt", "Sub", "Sum", "Swish", "Tanh"),
)


class WidenLines(NodePass):
    """Before: Relu(Conv<kernel_shape=[3]>(x)), x of shape [N, C, L] -> after: Squeeze(Relu(Conv<kernel_shape=[1, 3]>(Unsqueeze(x, [2]))), [2]).

    The Squeeze moves behind what follows, so that layers stay side by side and other passes can join them.
    """

    op_types = (*WINDOWS, *BETWEEN)

    def rewrite(self, node: ir.Node) -> bool:
        if len(node.outputs) > 1 or not (_is_window_of_a_line(node) or _is_between(node)):
            return False
        if node.op_type in WINDOWS:
            _widen_attributes(node)
        for index, value in enumerate(node.inputs):
            if value is not None and (constant(value) is None or len(value.shape) > 1):
                node.replace_input_with(index, _wide(node, value))
                _remove_unread(value)
        _narrow_behind(node)
        return True

    def ensures(self, model: ir.Model) -> None:
        assert not any(_is_window_of_a_line(node) for node in nodes_of(model, WINDOWS) if len(node.outputs) == 1)


def _is_window_of_a_line(node: ir.Node) -> bool:
    return node.op_type in WINDOWS and len(node.inputs[0].shape) == 3 and (node.op_type not in WEIGHTED or constant(node.inputs[1]) is not None)


def _is_between(node: ir.Node) -> bool:
    """Has every computed input been an image before a Squeeze?"""
    aligned = len(node.outputs[0].shape) == 3 and (node.op_type != "Concat" or node.attributes.get_int("axis") in (0, 1))
    computed = [value for value in node.inputs if value is not None and constant(value) is None]
    return node.op_type in BETWEEN and aligned and bool(computed) and all(_image_of(value) is not None for value in computed)


def _image_of(value: ir.Value) -> ir.Value | None:
    """What a Squeeze of the height made `value` of."""
    node = value.producer()
    if node is None or node.op_type != "Squeeze" or len(node.inputs) < 2 or node.inputs[0].shape is None or len(node.inputs[0].shape) != 4:
        return None
    axes = constant(node.inputs[1])
    return node.inputs[0] if axes is not None and axes.tolist() in ([HEIGHT], [HEIGHT - 4]) else None


def _with_height(shape: tuple[int, ...]) -> tuple[int, ...]:
    return (*shape[:-1], 1, shape[-1])


def _widen_attributes(node: ir.Node) -> None:
    for name, ints in [(name, node.attributes.get_ints(name)) for name in PER_AXIS if name in node.attributes]:
        node.attributes.add(ir.AttrInt64s(name, [PER_AXIS[name], *ints]))
    if "pads" in node.attributes:
        begin, end = node.attributes.get_ints("pads")
        node.attributes.add(ir.AttrInt64s("pads", [0, begin, 0, end]))


def _wide(node: ir.Node, value: ir.Value) -> ir.Value:
    """An input with the height put in; of a constant one for all nodes that share it."""
    array, graph = constant(value), node.graph
    if array is not None:
        name, array = f"{value.name}_wide", array.reshape(_with_height(array.shape))
        there = constant(graph.initializers.get(name))
        return graph.initializers[name] if there is not None and np.array_equal(there, array) else add_constant(graph, name, array)
    if (image := _image_of(value)) is not None:
        return image
    unsqueeze = ir.node("Unsqueeze", [value, _height(graph)], name=f"{node.name}_widen")
    unsqueeze.outputs[0].shape, unsqueeze.outputs[0].type = ir.Shape(_with_height(value.shape.numpy())), value.type
    graph.insert_before(node, unsqueeze)
    return unsqueeze.outputs[0]


def _remove_unread(value: ir.Value) -> None:
    """A Squeeze that nobody needs any more: it would be a second reader of the image."""
    if _image_of(value) is not None and not value.uses() and not value.is_graph_output():
        node = value.producer()
        node.graph.remove(node, safe=True)


def _narrow_behind(node: ir.Node) -> None:
    """The node gives an image from now on; whoever read its output reads that without the height."""
    output = node.outputs[0]
    squeeze = ir.node("Squeeze", [output, _height(node.graph)], name=f"{node.name}_narrow")
    squeeze.outputs[0].shape, squeeze.outputs[0].type = output.shape, output.type
    output.shape = ir.Shape(_with_height(output.shape.numpy()))
    put_behind(output, [squeeze])


def _height(graph: ir.Graph) -> ir.Value:
    return add_constant(graph, "height", np.array([HEIGHT], np.int64))
