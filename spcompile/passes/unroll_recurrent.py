"""Recurrent layers are one step after the other. The matrix of all steps is one constant, so that layers that multiply by it are decided on together.

Equations and orders of gates: ONNX operator documentation of RNN, GRU and LSTM.
"""

from abc import ABC, abstractmethod

import numpy as np
import onnx_ir as ir

from spcompile.ir.constants import constant
from spcompile.ir.writer import Writer
from spcompile.passes.base import NodePass, nodes_of

MOST_STEPS = 512  # of a sequence; each is a dozen nodes
PLAIN = ("Relu", "Sigmoid", "Softplus", "Softsign", "Tanh")  # activations without parameters
WEIGHT, RECURRENT, BIAS, LENGTHS, HIDDEN, CELL, PEEPHOLES = range(1, 8)  # places of inputs
State = tuple[ir.Value, ...]  # what a step hands on to the next, [batch, width] each; the first is its result


class UnrollRecurrent(NodePass):
    """Before: LSTM(x, w, r, b) -> after: MatMul(x, w) of all steps, then of each MatMul(h, r), Add, Split, Sigmoid, Tanh, ...; Concat of results."""

    op_types = ("GRU", "LSTM", "RNN")

    def rewrite(self, node: ir.Node) -> bool:
        if not _is_unrolled(node):
            return False
        writer = Writer(node)
        results = zip(*(_CELLS[node.op_type](writer, way).run() for way in range(node.inputs[WEIGHT].shape[0])), strict=True)
        values = [_beside(writer, ways, axis) for ways, axis in zip(results, (1, 0, 0), strict=False)]
        used = {old: new for old, new in zip(node.outputs, values, strict=False) if old.uses() or old.is_graph_output()}
        ir.convenience.replace_nodes_and_values(node.graph, node, [node], writer.nodes, list(used), list(used.values()))
        return True

    def ensures(self, model: ir.Model) -> None:
        assert not any(_is_unrolled(node) for node in nodes_of(model, self.op_types))


class _Way(ABC):
    """One direction of one recurrent layer."""

    gates: int  # of as many rows as the layer is wide
    states: int = 1

    def __init__(self, writer: Writer, way: int):
        node = self.node = writer.node
        self.writer, self.way = writer, way
        self.steps, self.batch, _ = node.inputs[0].shape.numpy()
        self.width = node.inputs[RECURRENT].shape[2]
        biases = constant(_given(node, BIAS))
        self.bias = np.zeros((2, self.gates * self.width), np.float32) if biases is None else biases[way].reshape(2, -1)
        count = len(_ACTIVATIONS[node.op_type])
        self.activations = _activations(node)[way * count : way * count + count]

    @abstractmethod
    def step(self, x: ir.Value, *state: ir.Value) -> State:
        """x: [batch, gates x width], multiplied and with its bias."""

    def bias_of_x(self) -> np.ndarray:
        return self.bias.sum(0)

    def run(self) -> State:
        """All results [steps, 1, batch, width], then each last state [1, batch, width]."""
        weight = self.writer.held(f"weight_{self.way}", constant(self.node.inputs[WEIGHT])[self.way].T)
        product = self.writer.op("MatMul", self.node.inputs[0], weight)
        x = self.writer.op("Add", product, self.writer.held(f"bias_{self.way}", self.bias_of_x()))
        order = range(self.steps)
        if self.way == 1 or self.node.attributes.get_string("direction", "forward") == "reverse":
            order = order[::-1]
        front, both = self.writer.held("front", [0]), self.writer.held("both", [0, 1])
        parts = self.writer.parts("Split", self.steps, x, axis=0, num_outputs=self.steps) if self.steps > 1 else [x]
        state, results = tuple(self._initial(place) for place in (HIDDEN, CELL)[: self.states]), {}
        for step in order:
            state = self.step(self.writer.op("Squeeze", parts[step], front), *state)
            results[step] = state[0]
        last = (self.writer.op("Unsqueeze", value, front) for value in state)
        return _beside(self.writer, [self.writer.op("Unsqueeze", results[step], both) for step in range(self.steps)], 0), *last

    def _initial(self, place: int) -> ir.Value:
        value = _given(self.node, place)
        if value is None:
            return self.writer.held("zeros", np.zeros((self.batch, self.width), np.float32))
        return self.writer.op("Gather", value, self.writer.held("way", self.way), axis=0)

    def matrix(self, first: int, last: int) -> ir.Value:
        """What h is multiplied by for gates `first` to before `last`, [width, rows]."""
        rows = constant(self.node.inputs[RECURRENT])[self.way, first * self.width : last * self.width]
        return self.writer.held(f"recurrent_{self.way}", rows.T)

    def split(self, value: ir.Value, count: int) -> tuple[ir.Value, ...]:
        return self.writer.parts("Split", count, value, axis=1, num_outputs=count)


class _Rnn(_Way):
    gates = 1

    def __init__(self, writer: Writer, way: int):
        super().__init__(writer, way)
        self.recurrent = self.matrix(0, self.gates)

    def step(self, x: ir.Value, h: ir.Value) -> State:
        op = self.writer.op
        return (op(self.activations[0], op("Add", x, op("MatMul", h, self.recurrent))),)


class _Lstm(_Rnn):
    gates, states = 4, 2

    def step(self, x: ir.Value, h: ir.Value, c: ir.Value) -> State:
        op, (gate, candidate, result) = self.writer.op, self.activations
        i, o, f, new = self.split(op("Add", x, op("MatMul", h, self.recurrent)), 4)
        kept, added = op("Mul", op(gate, f), c), op("Mul", op(gate, i), op(candidate, new))
        c = op("Add", kept, added)
        return op("Mul", op(gate, o), op(result, c)), c


class _Gru(_Way):
    gates = 3

    def __init__(self, writer: Writer, way: int):
        super().__init__(writer, way)
        self.resets_after = bool(self.node.attributes.get_int("linear_before_reset", 0))
        self.recurrent = [self.matrix(0, 3)] if self.resets_after else [self.matrix(0, 2), self.matrix(2, 3)]
        self.bias_of_candidate = writer.held(f"candidate_{way}", self.bias[1, 2 * self.width :])

    def bias_of_x(self) -> np.ndarray:
        """Where the reset comes after the product, it is of that product's bias too."""
        of_x, of_h = self.bias
        return of_x + np.concatenate([of_h[: 2 * self.width], 0 * of_h[2 * self.width :]]) if self.resets_after else of_x + of_h

    def step(self, x: ir.Value, h: ir.Value) -> State:
        op, (gate, candidate) = self.writer.op, self.activations
        x_z, x_r, x_new = self.split(x, 3)
        h_z, h_r, *h_new = self.split(op("MatMul", h, self.recurrent[0]), 2 + self.resets_after)
        z, r = op(gate, op("Add", x_z, h_z)), op(gate, op("Add", x_r, h_r))
        reset = op("Mul", r, op("Add", h_new[0], self.bias_of_candidate)) if self.resets_after else op("MatMul", op("Mul", r, h), self.recurrent[1])
        new = op(candidate, op("Add", x_new, reset))
        return (op("Add", new, op("Mul", z, op("Sub", h, new))),)


_CELLS = {"GRU": _Gru, "LSTM": _Lstm, "RNN": _Rnn}
_ACTIVATIONS = {"GRU": ["Sigmoid", "Tanh"], "LSTM": ["Sigmoid", "Tanh", "Tanh"], "RNN": ["Tanh"]}  # ONNX's defaults


def _is_unrolled(node: ir.Node) -> bool:
    """Not with sequences of different lengths, computed weights, the batch first, clipping or peepholes."""
    steps, weights = node.inputs[0].shape[0], [_given(node, place) for place in (WEIGHT, RECURRENT, BIAS)]
    lengths = constant(_given(node, LENGTHS))
    whole = bool(np.all(lengths == steps)) if lengths is not None else _given(node, LENGTHS) is None
    parameters = any(name in node.attributes for name in ("clip", "activation_alpha", "activation_beta"))
    other = any(node.attributes.get_int(name, 0) for name in ("layout", "input_forget")) or _given(node, PEEPHOLES) is not None
    fixed = all(value is None or constant(value) is not None for value in weights)
    return fixed and whole and not parameters and not other and steps <= MOST_STEPS and set(_activations(node)) <= set(PLAIN)


def _activations(node: ir.Node) -> list[str]:
    return list(node.attributes.get_strings("activations", _ACTIVATIONS[node.op_type] * node.inputs[WEIGHT].shape[0]))


def _given(node: ir.Node, place: int) -> ir.Value | None:
    value = node.inputs[place] if len(node.inputs) > place else None
    return value if value is not None and value.name else None


def _beside(writer: Writer, values: list[ir.Value], axis: int) -> ir.Value:
    return writer.op("Concat", *values, axis=axis) if len(values) > 1 else values[0]
