"""The prunable layers of a prepared model: finding them, reading their weights, writing new ones."""

import math
from collections.abc import Mapping

import numpy as np
import onnx_ir as ir

from spcompile.errors import PatternError
from spcompile.ir.constants import add_constant, constant, rewrite_constant
from spcompile.ir.finite import is_mask
from spcompile.ir.layer import Layer
from spcompile.ir.rewiring import follow, sole_reader
from spcompile.shortened import shortened


def find_layers(model: ir.Model) -> tuple[Layer, ...]:
    """Every 2-D Conv, Gemm, and MatMul by a matrix on the right whose weight is a constant of float32, in graph order.

    The model must have gone through `passes.prepare`: static shapes, explicit pads, no alpha, beta or transA.
    """
    found = (_VIEWS[node.op_type](node) for node in model.graph if node.op_type in _VIEWS and _has_weight(node))
    return tuple(layer for layer in found if layer is not None)


def weight(model: ir.Model, layer: Layer) -> np.ndarray:
    """-> [rows, columns], float32. Not to be written to; see `with_weights`."""
    return layer.to_matrix(constant(model.graph.initializers[layer.weight]))


def bias(model: ir.Model, layer: Layer) -> np.ndarray:
    """-> [rows], float32; zeros where the layer has none."""
    if layer.bias is None:
        return np.zeros(layer.rows, np.float32)
    return constant(model.graph.initializers[layer.bias])


def shared_weights(layers: tuple[Layer, ...]) -> dict[str, tuple[str, ...]]:
    """Initializers that more than one layer multiplies by -> the names of those layers. Such layers must be pruned as one."""
    users: dict[str, tuple[str, ...]] = {}
    for layer in layers:
        users[layer.weight] = (*users.get(layer.weight, ()), layer.name)
    return {name: names for name, names in users.items() if len(names) > 1}


def with_weights(model: ir.Model, matrices: Mapping[str, np.ndarray], biases: Mapping[str, np.ndarray] | None = None) -> ir.Model:
    """A copy of `model` with the matrices [rows, columns] and biases [rows] given by layer name; zeros are stored as exact (positive) zeros.

    A bias for a layer that had none is added. A weight that other nodes use too (an embedding table, say) is copied first, so they keep theirs.
    Raises PatternError when layers that share a weight are given different matrices, or not all of them one.
    """
    layers = {layer.name: layer for layer in find_layers(model)}
    biases = biases or {}
    assert layers.keys() >= matrices.keys() | biases.keys(), (matrices.keys() | biases.keys()) - layers.keys()
    model = model.clone()
    nodes = {node.name: node for node in model.graph}
    for group in _by_weight(layers, matrices):
        array = _exact(layers[group[0]].from_matrix(matrices[group[0]]), layers[group[0]].rows * layers[group[0]].columns)
        rewrite_constant([(nodes[name], 1) for name in group], array)
    for name, vector in biases.items():
        _write_bias(nodes[name], layers[name], _exact(vector, layers[name].rows))
    return model


def _has_weight(node: ir.Node) -> bool:
    """Domain of ONNX itself, a computed activation on the left, a float32 constant on the right, and a bias that is constant too, if any."""
    values = [constant(value) for value in node.inputs[1:]]
    known = all(array is not None for array, value in zip(values, node.inputs[1:], strict=True) if value is not None)
    return node.domain == "" and known and constant(node.inputs[0]) is None and values[0].dtype == np.float32


def _conv(node: ir.Node) -> Layer | None:
    shape = node.inputs[1].shape.numpy()
    if len(shape) != 4:
        return None
    ints = {name: tuple(node.attributes.get_ints(name, default)) for name, default in _CONV_DEFAULTS.items()}
    assert node.attributes.get_string("auto_pad", "NOTSET") == "NOTSET", node.name
    return Layer(
        op_type="Conv",
        rows=shape[0],
        columns=math.prod(shape[1:]),
        positions=_positions(node, axis=1),
        groups=node.attributes.get_int("group", 1),
        kernel=shape[2:],
        **ints,
        **_names(node),
    )


def _gemm(node: ir.Node) -> Layer:
    transposed = not node.attributes.get_int("transB", 0)
    shape = node.inputs[1].shape.numpy()
    rows, columns = shape[::-1] if transposed else shape
    assert not node.attributes.get_int("transA", 0), node.name
    return Layer(op_type="Gemm", rows=rows, columns=columns, positions=_positions(node, axis=1), transposed=transposed, **_names(node))


def _matmul(node: ir.Node) -> Layer | None:
    shape = node.inputs[1].shape.numpy()
    if len(shape) != 2:
        return None
    names = _names(node)
    addition = _bias_addition(node)
    if addition is not None:
        names["bias"] = addition[0].inputs[addition[1]].name
    return Layer(op_type="MatMul", rows=shape[1], columns=shape[0], positions=_positions(node, axis=-1), transposed=True, **names)


_VIEWS = {"Conv": _conv, "Gemm": _gemm, "MatMul": _matmul}
_CONV_DEFAULTS = {"strides": (1, 1), "dilations": (1, 1), "pads": (0, 0, 0, 0)}


def _names(node: ir.Node) -> dict[str, str | None]:
    third = node.inputs[2] if len(node.inputs) > 2 else None
    names = {"name": node.name, "weight": node.inputs[1].name, "input": node.inputs[0].name, "output": node.outputs[0].name}
    return {**names, "bias": None if third is None else third.name}


def _positions(node: ir.Node, axis: int) -> int:
    shape = node.outputs[0].shape.numpy()
    return math.prod(shape) // shape[axis]


def _bias_addition(node: ir.Node) -> tuple[ir.Node, int] | None:
    """The Add of a constant vector that alone reads this MatMul, and which of its inputs is the vector."""
    reader = sole_reader(node.outputs[0])
    if reader is None or reader.op_type != "Add":
        return None
    for index, value in enumerate(reader.inputs):
        vector = constant(value)
        if vector is not None and vector.shape == node.outputs[0].shape.numpy()[-1:] and not is_mask(vector):
            return reader, index
    return None


def _by_weight(layers: Mapping[str, Layer], matrices: Mapping[str, np.ndarray]) -> list[tuple[str, ...]]:
    """Names of the layers to write, one group for each initializer."""
    shared = shared_weights(tuple(layers.values()))
    groups = {layers[name].weight: shared.get(layers[name].weight, (name,)) for name in matrices}
    for initializer, names in groups.items():
        if not all(name in matrices and np.array_equal(matrices[name], matrices[names[0]]) for name in names):
            raise PatternError(f"layers {shortened(names)} share the weight '{initializer}'; they must be given one and the same matrix")
    return list(groups.values())


def _exact(array: np.ndarray, size: int) -> np.ndarray:
    assert array.size == size, (array.shape, size)
    return np.asarray(array, np.float32) + np.float32(0)  # turns -0.0 into 0.0


def _write_bias(node: ir.Node, layer: Layer, vector: np.ndarray) -> None:
    if layer.op_type == "MatMul":
        place = _bias_addition(node) or _add_addition(node, layer)
        rewrite_constant([place], vector)
    elif layer.bias is not None:
        rewrite_constant([(node, 2)], vector)
    else:
        node.resize_inputs(3)
        node.replace_input_with(2, add_constant(node.graph, f"{node.name}_bias", vector))


def _add_addition(node: ir.Node, layer: Layer) -> tuple[ir.Node, int]:
    zeros = add_constant(node.graph, f"{node.name}_bias", np.zeros(layer.rows, np.float32))
    return follow(node, "Add", zeros, f"{node.name}_bias"), 1
