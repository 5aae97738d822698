"""Which rows and columns of a network's weights are the same channels, and a network with its channels in another order."""

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
import onnx_ir as ir

from spcompile.ir.constants import constant, rewrite_constant
from spcompile.ir.layer import Layer
from spcompile.ir.layers import bias, find_layers, shared_weights, weight, with_weights
from spcompile.pruning.operators import ELEMENTWISE

POOLS = ("MaxPool", "AveragePool", "GlobalAveragePool")
FLATTENS = ("Reshape", "Flatten", "Squeeze")
IMAGE, LAST = -3, -1  # the axis of channels, counted from the end


@dataclass
class Channels:
    """Channels that may be put in any order, the same one wherever they go: the network then computes the same.

    writers: layers whose rows they are. readers: layers whose in-channels they are. carriers: depthwise layers, a row for each.
    constants: (node's name, input, axis) of tensors with a number for each. fixed: something depends on their order after all.
    """

    count: int
    fixed: bool = False
    writers: list[Layer] = field(default_factory=list)
    readers: list[Layer] = field(default_factory=list)
    carriers: list[Layer] = field(default_factory=list)
    constants: list[tuple[str, int, int]] = field(default_factory=list)

    def take(self, other: "Channels") -> None:
        """The channels of both from now on."""
        self.fixed |= other.fixed or self.count != other.count
        for own, more in ((self.writers, other.writers), (self.readers, other.readers), (self.carriers, other.carriers), (self.constants, other.constants)):
            own += more


def free_channels(model: ir.Model) -> tuple[Channels, ...]:
    """All channels whose order only layers depend on, in the order of the graph. model: prepared.

    Layers, operators on single numbers and pools keep channels apart; a sum of two values (a residual connection) makes theirs the same. Whatever
    else reads them fixes their order, as do the graph's inputs and outputs.
    """
    walk = _Walk(model)
    for node in model.graph:
        walk.visit(node)
    walk.fix(model.graph.outputs)
    found = {id(channels): channels for channels, _ in walk.at.values()}
    return tuple(channels for channels in found.values() if channels.writers and not channels.fixed)


def reordered(model: ir.Model, orders: Iterable[tuple[Channels, np.ndarray]]) -> ir.Model:
    """A copy in which channel i is what order[i] was, for some of `free_channels(model)`; it computes the same."""
    model, matrices, biases = model.clone(), {}, {}
    nodes = {node.name: node for node in model.graph}
    for channels, order in orders:
        assert not channels.fixed and sorted(order.tolist()) == list(range(channels.count)), channels
        for layer in (*channels.writers, *channels.carriers):
            matrices[layer.name] = matrices.get(layer.name, weight(model, layer))[order]
            if layer.bias is not None and layer.op_type != "MatMul":  # a MatMul's is a constant of the addition behind it
                biases[layer.name] = bias(model, layer)[order]
        for layer in channels.readers:
            taps = matrices.get(layer.name, weight(model, layer)).reshape(layer.rows, layer.taps, layer.in_channels)
            matrices[layer.name] = taps[:, :, order].reshape(layer.rows, layer.columns)
        for name, index, axis in channels.constants:
            rewrite_constant([(nodes[name], index)], np.take(constant(nodes[name].inputs[index]), order, axis))
    return with_weights(model, matrices, biases)


class _Walk:
    """Node by node. `at`: by value, its channels and their axis; values without an entry have none that could move."""

    def __init__(self, model: ir.Model):
        layers = find_layers(model)
        shared = {name for names in shared_weights(layers).values() for name in names}
        self.layers = {layer.name: layer for layer in layers if layer.name not in shared and (layer.groups == 1 or layer.depthwise)}
        self.at: dict[str, tuple[Channels, int]] = {}

    def visit(self, node: ir.Node) -> None:
        layer = self.layers.get(node.name)
        if layer is not None:
            self._layer(layer)
        elif node.op_type in ELEMENTWISE and node.domain == "":
            self._elementwise(node)
        elif node.op_type in POOLS and len(node.outputs) == 1:
            self._hand_on(node, IMAGE)
        elif node.op_type in FLATTENS and _drops_axes_of_one(node):
            self._hand_on(node, LAST)
        else:
            self.fix(node.inputs)

    def fix(self, values: Iterable[ir.Value | None]) -> None:
        for value in values:
            if value is not None and value.name in self.at:
                self.at[value.name][0].fixed = True

    def _layer(self, layer: Layer) -> None:
        axis = IMAGE if layer.op_type == "Conv" else LAST
        read, found_axis = self.at.get(layer.input, (Channels(0, fixed=True), axis))
        if layer.groups == 1:
            read.readers.append(layer)
            self.at[layer.output] = Channels(layer.rows), axis
            self.at[layer.output][0].writers.append(layer)
        else:
            read.carriers.append(layer)
            self.at[layer.output] = read, axis
        read.fixed |= found_axis != axis or (layer.groups > 1 and layer.rows != read.count)

    def _elementwise(self, node: ir.Node) -> None:
        computed, shape = [value for value in node.inputs if value is not None and constant(value) is None], node.outputs[0].shape.numpy()
        places = [self.at[value.name][1] if value.name in self.at else None for value in computed]
        if not all(place is not None and value.shape.numpy()[place] == shape[place] for value, place in zip(computed, places, strict=True)):
            self.fix(computed)  # values that were fed, or with one number for all channels
            return
        first, axis = self.at[computed[0].name]
        for other, other_axis in (self.at[value.name] for value in computed[1:]):
            first.fixed |= axis != other_axis
            if other is not first:
                first.take(other)
                self.at.update({name: (first, place) for name, (channels, place) in self.at.items() if channels is other})
        self.at[node.outputs[0].name] = first, axis
        arrays = {index: constant(value) for index, value in enumerate(node.inputs) if constant(value) is not None}
        first.constants += [(node.name, index, axis) for index, array in arrays.items() if array.ndim >= -axis and array.shape[axis] > 1]

    def _hand_on(self, node: ir.Node, axis: int) -> None:
        """The output has the input's channels, at this axis; the input has them as images do."""
        source = node.inputs[0].name
        if source in self.at:
            channels, found_axis = self.at[source]
            channels.fixed |= found_axis != IMAGE
            self.at[node.outputs[0].name] = channels, axis


def _drops_axes_of_one(node: ir.Node) -> bool:
    """[N, C, 1, 1] -> [N, C]"""
    before, after = (value.shape.numpy() for value in (node.inputs[0], node.outputs[0]))
    return len(before) == 4 and before[2:] == (1, 1) and after == before[:2]
