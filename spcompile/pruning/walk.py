"""Through the dense and the pruned network side by side, layer by layer."""

from collections.abc import Iterable, Mapping
from dataclasses import replace

import numpy as np
import onnx_ir as ir
import torch

from spcompile.ir.layer import Layer
from spcompile.ir.layers import bias, find_layers, shared_weights, weight
from spcompile.patterns import Choice
from spcompile.progress import Advance
from spcompile.pruning.calibration import Calibration
from spcompile.pruning.checked import mask_by, solved_by
from spcompile.pruning.evidence import Evidence
from spcompile.pruning.gradients import squared_gradients
from spcompile.pruning.influence import RowFactors
from spcompile.pruning.memory import release
from spcompile.pruning.network import Network, own_weights
from spcompile.pruning.pooled import Visits, ahead, pooled, visits_by_weight
from spcompile.pruning.pruner import Pruner
from spcompile.pruning.streams import Streams
from spcompile.shortened import shortened


class Walk:
    """Step through the dense and the pruned network side by side; each layer is solved when the walk reaches it."""

    def __init__(self, model: ir.Model, choices: Mapping[str, Choice], pruner: Pruner, seed: int, rows: RowFactors):
        self.model, self.choices, self.pruner, self.rows = own_weights(model), choices, pruner, rows
        self.seed, self.rng = seed, np.random.default_rng(seed)
        self.shared = {name for names in shared_weights(find_layers(model)).values() for name in names}  # dense ones keep their weight: it has other readers
        self.masks: dict[str, np.ndarray] = {}
        self.matrices: dict[str, np.ndarray] = {}
        self.biases: dict[str, np.ndarray] = {}
        self.fisher: dict[str, np.ndarray] = {}  # for pruners that ask for it
        self.thin: list[str] = []  # layers whose inputs were seen at too few positions to tell all of their columns apart
        self.solved: dict[str, tuple[np.ndarray, np.ndarray]] = {}  # by weight: layers that share one are solved where it is first met

    def run(self, calibration: Calibration, advance: Advance) -> None:
        layers = {layer.name: layer for layer in find_layers(self.model)}
        with torch.no_grad():
            network = Network(self.model)
            self._look_back(network, calibration, layers.values())
            visits = visits_by_weight(network, layers.values())
            stops = [at for at, step in enumerate(network.steps) if step.name in layers]
            streams = Streams(network, calibration, stops)
            for stop in stops:
                streams.advance(stop)
                release()
                layer = layers[network.steps[stop].name]
                if self._has_work(layer, streams):
                    streams.fill()
                    self._prune(layer, streams, visits[layer.weight])
                    streams.weights.update({name: torch.from_numpy(array) for name, array in self._written(layer).items()})
                advance()

    def _look_back(self, network: Network, calibration: Calibration, layers: Iterable[Layer]) -> None:
        """What the outputs owe to each weight, for pruners that ask for it."""
        if self.pruner.needs_fisher:
            self.fisher = squared_gradients(network, calibration.feeds, [layer for layer in layers if layer.name in self.choices], self.seed)

    def _has_work(self, layer: Layer, streams) -> bool:
        return layer.name in self.choices or (self.pruner.solver.needs_data and layer.name not in self.shared and not streams.same(layer.input))

    def _prune(self, layer: Layer, streams: Streams, visits: Visits) -> None:
        """The layer before whose step the walk waits; visits: of all layers of its weight."""
        seen = None if layer.weight in self.solved else pooled(self._seen(*at) for at in ahead(streams, visits))
        if seen is not None:
            self.solved[layer.weight] = self._solve(seen)
        mask, self.matrices[layer.name] = self.solved[layer.weight]
        if layer.name in self.choices:
            self.masks[layer.name] = mask
        if layer.bias is not None and self.pruner.solver.needs_data:
            own = seen if len(visits) == 1 else self._seen(streams, layer)
            self.biases[layer.name] = bias(self.model, layer) + own.bias_shift(self.matrices[layer.name])

    def _seen(self, streams: Streams, layer: Layer) -> Evidence:
        """Of a layer before whose step a walk waits."""
        return streams.moments(layer, self.rng).evidence_with_halves(weight(self.model, layer), self.rows.get(layer.name))

    def _solve(self, evidence: Evidence) -> tuple[np.ndarray, np.ndarray]:
        """-> mask and weights."""
        layer, choice = evidence.layer, self.choices.get(evidence.layer.name)
        evidence = replace(evidence, fisher=self.fisher.get(layer.name), seed=self.seed)
        self.thin += [layer.name] * (evidence.positions < layer.columns)
        mask = np.ones(evidence.weight.shape, bool) if choice is None else mask_by(self.pruner, evidence, choice)
        return mask, solved_by(self.pruner, evidence, mask)

    @property
    def notes(self) -> tuple[str, ...]:
        if not self.thin:
            return ()
        where = shortened(self.thin)
        return (f"too few calibration samples: fewer positions than columns at {where}; weights stay near the dense ones where the data says nothing",)

    def _written(self, layer: Layer) -> dict[str, np.ndarray]:
        """The layer's new initializers by name."""
        new = {layer.weight: layer.from_matrix(self.matrices[layer.name])}
        return {**new, layer.bias: self.biases[layer.name]} if layer.name in self.biases else new
