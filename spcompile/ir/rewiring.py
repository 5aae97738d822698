"""The few ways a graph is changed in place: a node replaced, followed, absorbed, bypassed."""

from collections.abc import Sequence

import onnx_ir as ir

from spcompile.ir.constants import free_name


def sole_reader(value: ir.Value) -> ir.Node | None:
    """The node that alone reads `value`, once; None when there are others or the value is an output of the graph."""
    uses = value.uses()
    return uses[0].node if len(uses) == 1 and not value.is_graph_output() else None


def replace(node: ir.Node, new_nodes: Sequence[ir.Node]) -> None:
    """Put a chain of nodes, each of one output, in the place of `node`; the last one takes over its first output and that value's name."""
    assert not any(value.uses() or value.is_graph_output() for value in node.outputs[1:]), node.name
    last = new_nodes[-1]
    ir.convenience.replace_nodes_and_values(node.graph, node, [node], new_nodes, node.outputs[:1], last.outputs[:1])


def follow(node: ir.Node, op_type: str, operand: ir.Value, name: str) -> ir.Node:
    """y = node(...) -> op_type(node(...), operand), of y's shape, for all readers of y. Where y is an output of the graph the new value takes its name."""
    before = node.outputs[0]
    after = ir.Value(name=free_name(node.graph, f"{before.name}_{op_type.lower()}"), shape=before.shape, type=before.type)
    new = ir.Node("", op_type, [before, operand], outputs=[after], name=name)
    put_behind(before, [new])
    return new


def put_behind(value: ir.Value, new_nodes: Sequence[ir.Node]) -> None:
    """Put a chain of nodes, each of one output, of which the first reads `value` first, between it and all that read it now.

    Where `value` is an output of the graph, and no input, what the last node gives takes its name.
    """
    graph, first, after = value.graph, new_nodes[0], new_nodes[-1].outputs[0]
    takes_name = value.is_graph_output() and not value.is_graph_input()
    value.replace_all_uses_with(after, replace_graph_outputs=True)
    first.replace_input_with(0, value)
    if value.is_graph_input():
        graph.insert_before(graph[0], new_nodes)
    else:
        graph.insert_after(value.producer(), new_nodes)
    if takes_name:
        name = value.name
        value.name = free_name(graph, f"{name}_before_{first.op_type.lower()}")
        after.name = name


def absorb(node: ir.Node, source: ir.Value) -> None:
    """Remove `node`, whose work the producer of `source`, its input, does from now on; nobody else reads `source`, which takes over the output's name."""
    target = node.outputs[0]
    assert sole_reader(source) is node, node.name
    name = target.name
    target.replace_all_uses_with(source, replace_graph_outputs=True)
    node.graph.remove(node, safe=True)
    source.name = name


def bypass(node: ir.Node) -> bool:
    """Remove `node`, which hands its first input on unchanged. False where the graph needs it: an output that is an input, a constant or another output."""
    source, target = node.inputs[0], node.outputs[0]
    if any(value.uses() or value.is_graph_output() for value in node.outputs[1:]):
        return False
    is_output = target.is_graph_output()
    if is_output and (source.producer() is None or source.is_graph_output()):
        return False
    name = target.name if is_output else source.name
    source.shape = source.shape if source.shape is not None else target.shape
    target.replace_all_uses_with(source, replace_graph_outputs=True)
    node.graph.remove(node, safe=True)
    source.name = name
    return True
