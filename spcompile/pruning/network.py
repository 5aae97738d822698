"""An ONNX graph as torch runs it: node by node, many samples at once, differentiable."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import onnx_ir as ir
import torch

from spcompile.errors import UnsupportedOperator
from spcompile.ir.layers import bias, find_layers, weight, with_weights
from spcompile.pruning.operators import BATCHED, ELEMENTWISE, OPERATORS

Values = dict[str, torch.Tensor]


@dataclass(frozen=True)
class Step:
    """One node, and the values that nobody needs after it."""

    node: ir.Node
    name: str
    inputs: tuple[str | None, ...]
    outputs: tuple[str, ...]
    dead: tuple[str, ...]


class Network:
    """A prepared model (static shapes, opset 18 or newer) as a list of steps over named values.

    A sample is one feed of the graph as written; a batch of S samples carries an axis of S before every shape, and each node is mapped over it,
    so a graph whose batch is fixed at 1 needs no rewriting. `constants` holds the initializers by name; a run may override any
    of them, which is how pruned and trained weights enter. Raises UnsupportedOperator for a node without an entry in `OPERATORS`.
    """

    def __init__(self, model: ir.Model, dtype: torch.dtype = torch.float32):
        """dtype: of all fractions; what is fed and what overrides a constant must have gone through `cast`."""
        graph, self.dtype = model.graph, dtype
        self.constants: Values = {name: self.cast(torch.from_numpy(np.array(value.const_value.numpy()))) for name, value in graph.initializers.items()}
        self.inputs = tuple(value.name for value in graph.inputs if value.name not in self.constants)
        computed = [value for value in graph.outputs if value.name not in self.constants]
        self.outputs = tuple(value.name for value in computed)  # without those that are the same whatever is fed
        self.fractions = tuple(value.name for value in computed if value.dtype.is_floating_point())  # those of them
        self.steps = tuple(self._steps(list(graph)))
        values = [*graph.inputs, *(value for node in graph for value in node.outputs)]
        self.shapes = {value.name: value.shape.numpy() for value in values}
        self.bytes = {value.name: math.prod(value.shape.numpy()) * value.dtype.itemsize for value in values}

    def _steps(self, nodes: list[ir.Node]) -> Iterable[Step]:
        kept = {*self.outputs, *self.constants}
        last_use = {value.name: place for place, node in enumerate(nodes) for value in node.inputs if value is not None and value.name not in kept}
        for place, node in enumerate(nodes):
            if node.op_type not in OPERATORS or node.domain not in ("", "ai.onnx"):
                raise UnsupportedOperator(f"node '{node.name}': operator {node.op_type} cannot be run while pruning; it can be {', '.join(sorted(OPERATORS))}")
            inputs = tuple(value.name if value is not None else None for value in node.inputs)
            dead = tuple(name for name in dict.fromkeys(inputs) if name is not None and last_use.get(name) == place)
            yield Step(node, node.name or node.outputs[0].name, inputs, tuple(value.name for value in node.outputs), dead)

    def samples(self, feeds: Mapping[str, np.ndarray]) -> Values:
        """Arrays [N, ...] by input name -> tensors [S, *shape as written in the graph]; the number of an input without axes S times."""
        found = {name: torch.from_numpy(np.ascontiguousarray(feeds[name])).reshape(-1, *self.shapes[name]) for name in self.inputs}
        samples = max(map(len, found.values()))
        return {name: values if self.shapes[name] else values.expand(samples) for name, values in found.items()}

    def cast(self, tensor: torch.Tensor) -> torch.Tensor:
        """Fractions in this network's type; whole numbers and truths as they are."""
        return tensor.to(self.dtype) if tensor.is_floating_point() else tensor

    def alive(self) -> list[frozenset[str]]:
        """Per step, and behind the last: the values that are alive before it."""
        alive = [frozenset(self.inputs)]
        for step in self.steps:
            alive.append(alive[-1].union(step.outputs).difference(step.dead))
        return alive

    def peak_bytes(self) -> int:
        """Of the values that are alive at a time, for one sample, at the most."""
        alive = self.alive()
        return max(sum(self.bytes[name] for name in before | after) for before, after in pairwise((*alive, alive[-1])))

    def step(self, step: Step, values: Values, weights: Mapping[str, torch.Tensor] = {}) -> None:
        """Run one node: read `values` (and `weights`, before the constants), write its outputs into `values`, drop what is dead."""
        fixed = [weights.get(name, self.constants.get(name)) if name is not None else None for name in step.inputs]
        varies = [name in values for name in step.inputs]
        arguments = [values[name] if varying else constant for name, varying, constant in zip(step.inputs, varies, fixed, strict=True)]
        results = _mapped(step.node, arguments, varies) if any(varies) else OPERATORS[step.node.op_type](step.node.attributes, *arguments)
        written = values if any(varies) else self.constants
        results = (results,) if isinstance(results, torch.Tensor) else results
        written.update(zip(step.outputs, map(self.cast, results), strict=False))
        for name in step.dead:
            values.pop(name, None)

    def run(self, feeds: Values, weights: Mapping[str, torch.Tensor] = {}, steps: Iterable[Step] | None = None) -> Values:
        """Feeds {input: [S, *shape]}, or the live values where `steps` begins -> the values alive at the end, the outputs among them."""
        values = dict(feeds)
        for step in self.steps if steps is None else steps:
            self.step(step, values, weights)
        return values


def _mapped(node: ir.Node, arguments: list[torch.Tensor | None], varies: list[bool]) -> torch.Tensor | tuple[torch.Tensor, ...]:
    """The node for every sample: at once where its operator allows that, else by `torch.func.vmap`. Which inputs vary, lie along axis 0 of them."""
    kind, attributes = node.op_type, node.attributes
    if kind in ELEMENTWISE and all(varies) and len({argument.dim() for argument in arguments}) == 1:
        return OPERATORS[kind](attributes, *arguments)
    if kind in BATCHED and varies[0] and arguments[0].dim() > 1 and not any(varies[1:]):
        samples = arguments[0]
        return BATCHED[kind](attributes, samples.flatten(0, 1), *arguments[1:]).unflatten(0, samples.shape[:2])
    dims = tuple(0 if varying else None for varying in varies)
    return torch.func.vmap(lambda *inputs: OPERATORS[kind](attributes, *inputs), in_dims=dims)(*arguments)


def own_weights(model: ir.Model) -> ir.Model:
    """A copy in which no other node reads a layer's weight or bias, so that overriding one changes that layer alone. Layers may still share a weight."""
    layers = find_layers(model)
    return with_weights(model, {layer.name: weight(model, layer) for layer in layers}, {layer.name: bias(model, layer) for layer in layers if layer.bias})
