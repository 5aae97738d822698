"""Layers are pruned in the order of the graph, so that each sees what the ones before it lost."""

from collections.abc import Iterable, Mapping
from dataclasses import replace

import numpy as np
import onnx_ir as ir

from spcompile.errors import PatternError
from spcompile.ir.layer import Layer
from spcompile.ir.layers import bias, find_layers, shared_weights, weight, with_weights
from spcompile.patterns import Choice
from spcompile.progress import Advance, Progress, Silent
from spcompile.pruning.auto import Auto
from spcompile.pruning.calibration import Calibration
from spcompile.pruning.evidence import Evidence
from spcompile.pruning.influence import RowFactors, influence
from spcompile.pruning.magnitude import Magnitude
from spcompile.pruning.memory import release
from spcompile.pruning.pruned import Pruned
from spcompile.pruning.pruner import Pruner

BLIND = "no calibration data: weights were chosen by magnitude and none was corrected; with data the network keeps far more of its accuracy"


def prune(
    model: ir.Model,
    choices: Mapping[str, Choice],
    calibration: Calibration | None = None,
    pruner: Pruner | None = None,
    seed: int = 0,
    progress: Progress | None = None,
    rows: RowFactors | None = None,
) -> Pruned:
    """Give every layer its choice. Layers without one stay dense; where the solver can, they too make up for what earlier layers lost.

    model: prepared. choices: by layer name. pruner: `Auto()` unless given; without calibration data one that needs them gives way to magnitude.
    rows: of the model's `influence`, measured here unless given.
    Targets come from the dense network, inputs from the pruned prefix: each layer minimises what its error
    W x_dense - V x_pruned does to the outputs, and its bias follows.
    Raises PatternError when the pruner cannot choose such masks, or when layers that share a weight are given different choices.
    """
    pruner, layers = pruner or Auto(), find_layers(model)
    _check(layers, choices, pruner)
    with (progress or Silent()).stage("prune", len(layers)) as advance:
        if calibration is not None and pruner.needs_data:
            if rows is None:
                rows, calibration = influence(model, calibration, seed)
            walk = _Walk(model, choices, pruner, seed, rows)
            walk.run(calibration, advance)
            return Pruned(with_weights(model, walk.matrices, walk.biases), walk.masks, (*calibration.notes, *walk.notes))
        chosen = Magnitude() if pruner.needs_data else pruner
        evidence = {layer.name: Evidence(layer, weight(model, layer), seed=seed) for layer in layers if layer.name in choices}
        masks = {name: _mask(chosen, known, choices[name]) for name, known in evidence.items()}
        matrices = {name: _solved(chosen, known, masks[name]) for name, known in evidence.items()}
        advance(len(layers))
        return Pruned(with_weights(model, matrices), masks, (BLIND,) if pruner.needs_data else ())


def _check(layers: tuple[Layer, ...], choices: Mapping[str, Choice], pruner: Pruner) -> None:
    by_name = {layer.name: layer for layer in layers}
    if unknown := [name for name in choices if name not in by_name]:
        raise PatternError(f"no layer is called {', '.join(unknown)}; layers are {', '.join(by_name)}")
    for name, choice in choices.items():
        verdict = choice.pattern.fits(by_name[name]) and pruner.can(choice.pattern)
        if not verdict:
            raise PatternError(f"layer '{name}' cannot be pruned to {choice.notation} by {pruner.name}: {verdict.reason}")
    for initializer, names in shared_weights(layers).items():
        if len({choices.get(name) for name in names}) > 1:
            raise PatternError(f"layers {', '.join(names)} share the weight '{initializer}'; give them one and the same choice")


def _mask(pruner: Pruner, evidence: Evidence, choice: Choice) -> np.ndarray:
    """The pruner's mask, held to the pattern's promise: pruners may come from users."""
    mask = pruner.mask(evidence, choice)
    if mask.shape != evidence.weight.shape or mask.dtype != bool:
        raise PatternError(f"pruner {pruner.name} gave layer '{evidence.layer.name}' a mask {mask.dtype} {mask.shape}; it must be bool {evidence.weight.shape}")
    if not (verdict := choice.pattern.check(mask)):
        raise PatternError(f"pruner {pruner.name} gave layer '{evidence.layer.name}' a mask that is not {choice.notation}: {verdict.reason}")
    return mask


def _solved(pruner: Pruner, evidence: Evidence, mask: np.ndarray) -> np.ndarray:
    """What its solver makes of the mask, held to the solver's promise."""
    new = pruner.solver.solve(evidence, mask)
    if new.shape != mask.shape or new.dtype != np.float32 or not np.isfinite(new).all() or new[~mask].any():
        expected = f"finite float32 {mask.shape}, zero where the mask is"
        raise PatternError(f"the solver of pruner {pruner.name} gave layer '{evidence.layer.name}' weights {new.dtype} {new.shape} that are not {expected}")
    return new


class _Walk:
    """Step through the dense and the pruned network side by side; each layer is solved when the walk reaches it."""

    def __init__(self, model: ir.Model, choices: Mapping[str, Choice], pruner: Pruner, seed: int, rows: RowFactors):
        from spcompile.pruning.network import own_weights

        self.model, self.choices, self.pruner, self.rows = own_weights(model), choices, pruner, rows
        self.seed, self.rng = seed, np.random.default_rng(seed)
        self.shared = {name for names in shared_weights(find_layers(model)).values() for name in names}  # dense ones keep their weight: it has other readers
        self.masks: dict[str, np.ndarray] = {}
        self.matrices: dict[str, np.ndarray] = {}
        self.biases: dict[str, np.ndarray] = {}
        self.thin: list[str] = []  # layers whose inputs were seen at too few positions to tell all of their columns apart
        self.solved: dict[str, tuple[np.ndarray, np.ndarray]] = {}  # by weight: layers that share one are solved where it is first met

    def run(self, calibration: Calibration, advance: Advance) -> None:
        import torch

        from spcompile.pruning.network import Network
        from spcompile.pruning.streams import Streams

        layers = {layer.name: layer for layer in find_layers(self.model)}
        with torch.no_grad():
            network = Network(self.model)
            fisher = self._fisher(network, calibration, layers.values())
            stops = [at for at, step in enumerate(network.steps) if step.name in layers]
            streams = Streams(network, calibration, stops)
            for stop in stops:
                streams.advance(stop)
                release()
                layer = layers[network.steps[stop].name]
                if self._has_work(layer, streams):
                    moments = streams.moments(layer, self.rng)
                    evidence = moments.evidence_with_halves(weight(self.model, layer), self.rows.get(layer.name))
                    self._solve(replace(evidence, fisher=fisher.get(layer.name), seed=self.seed))
                    self.thin += [layer.name] * (moments.count < layer.columns)
                    streams.weights.update({name: torch.from_numpy(array) for name, array in self._written(layer).items()})
                advance()

    def _fisher(self, network, calibration: Calibration, layers: Iterable[Layer]) -> dict[str, np.ndarray]:
        from spcompile.pruning.gradients import squared_gradients

        chosen = [layer for layer in layers if layer.name in self.choices]
        return squared_gradients(network, calibration.feeds, chosen, self.seed) if self.pruner.needs_fisher else {}

    def _has_work(self, layer: Layer, streams) -> bool:
        return layer.name in self.choices or (self.pruner.solver.needs_data and layer.name not in self.shared and not streams.same(layer.input))

    def _solve(self, evidence: Evidence) -> None:
        layer, choice = evidence.layer, self.choices.get(evidence.layer.name)
        if layer.weight not in self.solved:
            mask = np.ones(evidence.weight.shape, bool) if choice is None else _mask(self.pruner, evidence, choice)
            self.solved[layer.weight] = mask, _solved(self.pruner, evidence, mask)
        mask, self.matrices[layer.name] = self.solved[layer.weight]
        if choice is not None:
            self.masks[layer.name] = mask
        if layer.bias is not None and self.pruner.solver.needs_data:
            self.biases[layer.name] = bias(self.model, layer) + evidence.bias_shift(self.matrices[layer.name])

    @property
    def notes(self) -> tuple[str, ...]:
        if not self.thin:
            return ()
        some = ", ".join(self.thin[:3]) + (f" and {len(self.thin) - 3} more" if len(self.thin) > 3 else "")
        return (f"too few calibration samples: fewer positions than columns at {some}; weights stay near the dense ones where the data says nothing",)

    def _written(self, layer: Layer) -> dict[str, np.ndarray]:
        """The layer's new initializers by name."""
        new = {layer.weight: layer.from_matrix(self.matrices[layer.name])}
        return {**new, layer.bias: self.biases[layer.name]} if layer.name in self.biases else new
