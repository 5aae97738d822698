"""Networks that treat the inputs of a batch alike and apart: each input's results follow from that input alone."""

import onnx_ir as ir

from spcompile.ir.constants import constant, rewrite_constant

ROW_BY_ROW = ("Conv", "AveragePool", "MaxPool", "GlobalAveragePool", "GlobalMaxPool", "DepthToSpace", "Identity")  # whatever their attributes say
BY_AXIS = {"Softmax": -1, "LogSoftmax": -1, "LayerNormalization": -1, "Concat": None, "Split": 0, "Flatten": 1}  # attribute `axis`, its default
BY_AXES = {"Slice": 3, **{f"Reduce{kind}": 1 for kind in ("Mean", "Sum", "Max", "Min", "L2", "SumSquare")}}  # where the constant of axes stands
RESHAPES = ("Reshape", "Squeeze", "Unsqueeze")


def one_input(model: ir.Model, elementwise: frozenset[str]) -> ir.Model | None:
    """The same network for a batch of one, of which a prepared one for N > 1 inputs is N copies; None where that is not certain, or N is 1.

    Every value that depends on the inputs must keep the batch as its first axis, and no node mix what lies along it. elementwise: operators that compute
    number by number, with broadcasting.
    """
    batches = {value.shape[0] if len(value.shape) else 1 for value in (*model.graph.inputs, *model.graph.outputs)}
    if len(batches) != 1 or batches == {1}:
        return None
    (batch,) = batches
    fed = set(model.graph.inputs)
    for node in model.graph:
        if any(value in fed for value in node.inputs):
            fed.update(node.outputs)
            if not _apart(node, fed, batch, elementwise):
                return None
    return _cut(model, batch)


def _apart(node: ir.Node, fed: set[ir.Value], batch: int, elementwise: frozenset[str]) -> bool:
    inside = [value for value in (*node.inputs, *node.outputs) if value is not None and value in fed]
    if any(value.shape is None or len(value.shape) == 0 or value.shape[0] != batch for value in inside):
        return False
    others = [value for value in node.inputs if value is not None and value not in fed]
    if any(constant(value) is None for value in others):
        return False
    rank = len(node.outputs[0].shape)
    if node.op_type in elementwise or node.op_type == "MatMul":
        broadcast = all(len(value.shape) < rank or value.shape[0] == 1 for value in others)
        two = node.op_type != "MatMul" or node.inputs[1] not in fed or rank > 2
        return two and broadcast and all(len(value.shape) == rank for value in inside)
    return node.op_type in ROW_BY_ROW or _keeps_first_axis(node, fed)


def _keeps_first_axis(node: ir.Node, fed: set[ir.Value]) -> bool:
    """Of operators for which it depends on their settings."""
    kind, rank = node.op_type, len(node.inputs[0].shape)
    if kind in BY_AXIS:
        return node.attributes.get_int("axis", BY_AXIS[kind]) % rank != 0
    if kind in BY_AXES:
        axes = constant(node.inputs[BY_AXES[kind]]) if len(node.inputs) > BY_AXES[kind] else None
        return axes is not None and axes.size > 0 and bool((axes % rank != 0).all())
    if kind == "Gemm":
        return not fed.intersection(node.inputs[1:]) and all(value is None or len(value.shape) < 2 or value.shape[0] == 1 for value in node.inputs[2:])
    if kind == "Gather":
        first = node.attributes.get_int("axis", 0) % rank == 0
        return first if node.inputs[0] not in fed else not first and node.inputs[1] not in fed
    if kind == "Transpose":
        return node.attributes.get_ints("perm", (-1,))[0] == 0
    if kind == "Pad":
        pads = constant(node.inputs[1])
        return len(node.inputs) < 4 and pads[0] == pads[rank] == 0
    return kind in RESHAPES or (kind == "Resize" and len(node.inputs) < 4)


def _cut(model: ir.Model, batch: int) -> ir.Model:
    model = model.clone()
    fed = set(model.graph.inputs)
    for node in model.graph:
        if any(value in fed for value in node.inputs):
            fed.update(node.outputs)
            if node.op_type == "Reshape" and constant(node.inputs[1])[0] == batch:
                rewrite_constant([(node, 1)], [1, *constant(node.inputs[1])[1:]])
    for value in fed:
        value.shape = ir.Shape([1, *value.shape.numpy()[1:]])
    return model
