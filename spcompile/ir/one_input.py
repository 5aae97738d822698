"""Networks that treat the inputs of a batch alike and apart: each input's results follow from that input alone."""

from collections.abc import Iterator

import numpy as np
import onnx_ir as ir

from spcompile.ir.constants import add_constant, constant, rewrite_constant

FIRST_AXIS = ("Conv", "AveragePool", "MaxPool", "GlobalAveragePool", "GlobalMaxPool", "DepthToSpace", "Gemm", "Flatten", "Reshape", "Resize")  # is the batch's
LAST_AXES = ("Concat", "LayerNormalization")  # are aligned, of their operands, as of those that compute number by number
BY_AXIS = {"Softmax": -1, "LogSoftmax": -1, "Concat": None, "Split": 0}  # attribute `axis`, its default
REDUCTIONS = tuple(f"Reduce{kind}" for kind in ("Mean", "Sum", "Max", "Min", "L2", "SumSquare"))


def one_input(model: ir.Model, elementwise: frozenset[str]) -> ir.Model | None:
    """The same network for a batch of one, of which a prepared one for N > 1 inputs is N copies; None where that is not certain, or N is 1.

    The batch is the first axis of all inputs and outputs; every value that depends on an input must have an axis of its own for it, and no node mix what
    lies along it. Constants may have a part for each input where these are alike. elementwise: operators that compute number by number, with broadcasting.
    """
    batches = {value.shape[0] if len(value.shape) else 1 for value in (*model.graph.inputs, *model.graph.outputs)}
    if len(batches) != 1 or batches == {1}:
        return None
    (batch,) = batches
    axes = dict.fromkeys(model.graph.inputs, 0)
    for node in model.graph:
        if any(value in axes for value in node.inputs):
            axis = _axis(node, axes, elementwise)
            if axis is None or any(value.shape is None or len(value.shape) <= axis or value.shape[axis] != batch for value in node.outputs):
                return None
            if not all(_alike(constant(node.inputs[index]), place) for index, place in _along(node, axis, elementwise)):
                return None
            axes.update(dict.fromkeys(node.outputs, axis))
    if any(axes.get(value) != 0 for value in model.graph.outputs):
        return None
    return _cut(model, batch, {value.name: axis for value, axis in axes.items()}, elementwise)


def _axis(node: ir.Node, axes: dict[ir.Value, int], elementwise: frozenset[str]) -> int | None:
    """The batch's axis of a node's outputs; None where it is mixed, or may be."""
    values = [value for value in node.inputs if value is not None]
    if any(value not in axes and constant(value) is None for value in values):
        return None
    if node.op_type in elementwise or node.op_type == "MatMul":
        return _broadcast_axis(node, values, axes)
    axis, rank = max(axes.get(value, 0) for value in values), len(values[0].shape)
    if any(axes.get(value, axis) != axis for value in values):
        return None
    if node.op_type in FIRST_AXIS:
        return 0 if axis == 0 and _keeps_first_axis(node, axes) else None
    if node.op_type in BY_AXIS:
        return axis if node.attributes.get_int("axis", BY_AXIS[node.op_type]) % rank != axis else None
    rule = _RULES.get(node.op_type)
    return rule(node, axes, axis, rank) if rule else None


def _broadcast_axis(node: ir.Node, values: list[ir.Value], axes: dict[ir.Value, int]) -> int | None:
    """Counted from the last axis, which broadcasting aligns; in front of the axes of matrices, or among the rows of one that a constant multiplies."""
    places = {len(value.shape) - axes[value] for value in values if value in axes}
    if len(places) > 1:
        return None
    (place,) = places
    if node.op_type == "MatMul" and place <= 2:
        alone = place == 2 and values[0] in axes and values[1] not in axes and len(values[1].shape) == 2
        return len(node.outputs[0].shape) - place if alone else None
    return len(node.outputs[0].shape) - place


def _along(node: ir.Node, axis: int, elementwise: frozenset[str]) -> Iterator[tuple[int, int]]:
    """Constants with a part for each input of the batch, which lies along `axis` of the node's outputs: index, and the axis of those parts."""
    rank = len(node.outputs[0].shape)
    if node.op_type in elementwise or node.op_type in LAST_AXES or (node.op_type == "MatMul" and axis < rank - 2):
        for index, value in enumerate(node.inputs):
            place = axis - rank + len(value.shape) if constant(value) is not None else -1
            if place >= 0 and value.shape[place] > 1:
                yield index, place


def _alike(array: np.ndarray, axis: int) -> bool:
    return bool((array == array.take([0], axis)).all())


def _keeps_first_axis(node: ir.Node, axes: dict[ir.Value, int]) -> bool:
    if node.op_type == "Gemm":
        return not axes.keys() & set(node.inputs[1:]) and all(value is None or len(value.shape) < 2 or value.shape[0] == 1 for value in node.inputs[2:])
    if node.op_type == "Flatten":
        return node.attributes.get_int("axis", 1) == 1
    return node.op_type != "Resize" or len(node.inputs) < 4


def _constant_axes(node: ir.Node, place: int, rank: int) -> list[int] | None:
    """Those that input `place` names, from zero on."""
    named = constant(node.inputs[place]) if len(node.inputs) > place else None
    return None if named is None or not named.size else [int(axis) % rank for axis in np.atleast_1d(named)]


def _sliced(node: ir.Node, axes: dict[ir.Value, int], axis: int, rank: int) -> int | None:
    named = _constant_axes(node, 3, rank)
    return axis if named is not None and axis not in named else None


def _reduced(node: ir.Node, axes: dict[ir.Value, int], axis: int, rank: int) -> int | None:
    named = _constant_axes(node, 1, rank)
    if named is None or axis in named:
        return None
    return axis if node.attributes.get_int("keepdims", 1) else axis - sum(one < axis for one in named)


def _squeezed(node: ir.Node, axes: dict[ir.Value, int], axis: int, rank: int) -> int | None:
    named = _constant_axes(node, 1, rank)
    return None if named is None else axis - sum(one < axis for one in named)


def _unsqueezed(node: ir.Node, axes: dict[ir.Value, int], axis: int, rank: int) -> int | None:
    after = len(node.outputs[0].shape)
    named = _constant_axes(node, 1, after)
    return None if named is None else [place for place in range(after) if place not in named][axis]


def _gathered(node: ir.Node, axes: dict[ir.Value, int], axis: int, rank: int) -> int | None:
    along = node.attributes.get_int("axis", 0) % rank
    if node.inputs[0] not in axes:
        return axis if along == 0 else None
    if node.inputs[1] in axes or along == axis:
        return None
    return axis + (len(node.inputs[1].shape) - 1 if along < axis else 0)


def _transposed(node: ir.Node, axes: dict[ir.Value, int], axis: int, rank: int) -> int | None:
    return list(node.attributes.get_ints("perm", range(rank)[::-1])).index(axis)


def _padded(node: ir.Node, axes: dict[ir.Value, int], axis: int, rank: int) -> int | None:
    pads = constant(node.inputs[1])
    return axis if len(node.inputs) < 4 and pads[axis] == pads[axis + rank] == 0 else None


def _normalised(node: ir.Node, axes: dict[ir.Value, int], axis: int, rank: int) -> int | None:
    return axis if axis < node.attributes.get_int("axis", -1) % rank and not axes.keys() & set(node.inputs[1:]) else None


_RULES = {
    "Gather": _gathered,
    "Identity": lambda node, axes, axis, rank: axis,
    "LayerNormalization": _normalised,
    "Pad": _padded,
    "Slice": _sliced,
    "Squeeze": _squeezed,
    "Transpose": _transposed,
    "Unsqueeze": _unsqueezed,
    **dict.fromkeys(REDUCTIONS, _reduced),
}


def _cut(model: ir.Model, batch: int, axes: dict[str, int], elementwise: frozenset[str]) -> ir.Model:
    """axes: of the values that have the batch, by name."""
    model = model.clone()
    values = ir.convenience.create_value_mapping(model.graph)
    for name, axis in axes.items():
        shape = list(values[name].shape.numpy())
        shape[axis] = 1
        values[name].shape = ir.Shape(shape)
    for node in model.graph:
        name = node.outputs[0].name
        if node.op_type == "Reshape" and name in axes and constant(node.inputs[1])[0] == batch:
            rewrite_constant([(node, 1)], [1, *constant(node.inputs[1])[1:]])
        for index, place in _along(node, axes[name], elementwise) if name in axes else ():
            part = constant(node.inputs[index]).take([0], place)
            node.replace_input_with(index, add_constant(model.graph, f"{node.inputs[index].name}_part", part))
    return model
