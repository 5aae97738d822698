"""Constants of a graph: reading them, adding new ones."""

from collections.abc import Sequence

import numpy as np
import onnx_ir as ir


def constant(value: ir.Value | None) -> np.ndarray | None:
    """The array of an initializer; None for anything computed, fed or absent. Do not write to it: models share their tensors."""
    if value is None or value.const_value is None or value.is_graph_input():
        return None
    return value.const_value.numpy()


def add_constant(graph: ir.Graph, name: str, array: np.ndarray) -> ir.Value:
    """A new initializer called `name`, or `name_1`, `name_2`, ... when the name is taken."""
    name = free_name(graph, name)
    value = ir.Value(name=name, const_value=ir.tensor(np.asarray(array, order="C"), name=name))
    value.shape, value.dtype = value.const_value.shape, value.const_value.dtype
    graph.register_initializer(value)
    return value


def rewrite_constant(places: Sequence[tuple[ir.Node, int]], array: np.ndarray) -> None:
    """Give the inputs at `places` (node, index), all of one constant now, a new array of the same shape; other readers of that constant keep the old one."""
    node, index = places[0]
    old = node.inputs[index]
    array = np.asarray(array, old.dtype.numpy(), order="C").reshape(old.shape.numpy())
    if len(old.uses()) == len(places) and not old.is_graph_output():
        old.const_value = ir.tensor(array, name=old.name)
        return
    new = add_constant(node.graph, f"{old.name}_own", array)
    for user, position in places:
        user.replace_input_with(position, new)


def free_name(graph: ir.Graph, name: str) -> str:
    taken = {*graph.initializers, *(value.name for value in graph.inputs), *(value.name for node in graph for value in node.outputs)}
    candidate, count = name, 0
    while candidate in taken:
        count += 1
        candidate = f"{name}_{count}"
    return candidate
