"""What a layer's option is predicted to do to the network's output: the number that the search adds up."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from spcompile.ir.layer import Layer
from spcompile.ir.layers import find_layers, weight
from spcompile.patterns import PATTERNS, Choice, Pattern
from spcompile.progress import Advance, Progress, Silent
from spcompile.pruning.calibration import Calibration
from spcompile.pruning.curves import Curve, weight_curves
from spcompile.pruning.evidence import Evidence
from spcompile.pruning.influence import RowFactors, influence
from spcompile.pruning.scores import scored


@dataclass(frozen=True)
class ErrorModel:
    """error = local error x sensitivity. Local: the layer's own relative squared error, rows weighed, after the weight update, read off its pattern's curve.
    Sensitivity: relative squared error of the network's output per unit of local error, measured by pruning this layer alone and letting the next ones
    make up for it, as all do when a plan is pruned; of its scores, where the output is their softmax.

    Second-order terms between layers are left out, so errors add up; `tests/pruning/test_errors.py` and docs/accuracy.md say how well.
    """

    curves: Mapping[str, Mapping[Pattern, Curve]]  # by layer name
    sensitivities: Mapping[str, float]  # by layer name

    def error(self, layer: Layer, choice: Choice) -> float:
        """Predicted relative squared error of the network's output, >= 0; zero for dense."""
        if choice.sparsity == 0:
            return 0.0
        return self.curves[layer.name][choice.pattern].at(choice.sparsity) * self.sensitivities[layer.name]


def measure_errors(
    model: ir.Model,
    calibration: Calibration | None = None,
    patterns: tuple[Pattern, ...] = PATTERNS,
    seed: int = 0,
    progress: Progress | None = None,
    rows: RowFactors | None = None,
    threads: int = 1,
) -> ErrorModel:
    """Every layer, every pattern that fits it, every level, in one walk through the dense network.

    model: prepared. Without calibration data, on `threads` threads at most, an error is the share of squared weight that is lost, every layer as
    sensitive as the others. rows: of its `influence`, measured here unless given.
    """
    with (progress or Silent()).stage("errors", len(find_layers(model))) as advance:
        if calibration is None:
            return _by_weights(model, patterns, seed, threads, advance)
        if rows is None:
            rows, calibration = influence(model, calibration, seed)
        return _measured(model, calibration, patterns, np.random.default_rng(seed), rows, advance)


def _by_weights(model: ir.Model, patterns: tuple[Pattern, ...], seed: int, threads: int, advance: Advance) -> ErrorModel:
    layers, found = find_layers(model), {}

    def curves_of(layer: Layer, own: np.random.SeedSequence) -> dict[Pattern, Curve]:
        return weight_curves(Evidence(layer, weight(model, layer)), patterns, np.random.default_rng(own))

    with ThreadPoolExecutor(threads) as pool:
        for layer, by_pattern in zip(layers, pool.map(curves_of, layers, np.random.SeedSequence(seed).spawn(len(layers))), strict=True):
            found[layer.name] = by_pattern
            advance()
    return ErrorModel(found, dict.fromkeys(found, 1.0))


def _measured(
    model: ir.Model, calibration: Calibration, patterns: tuple[Pattern, ...], rng: np.random.Generator, rows: RowFactors, advance: Advance
) -> ErrorModel:
    import torch

    from spcompile.pruning.network import Network
    from spcompile.pruning.pooled import visits_by_weight
    from spcompile.pruning.probe import SAMPLES, Probe
    from spcompile.pruning.streams import Streams

    layers, found, sensitivities = {layer.name: layer for layer in find_layers(model)}, {}, {}
    with torch.no_grad():
        network = Network(scored(model))
        streams = Streams(network, calibration, range(len(network.steps) + 1), SAMPLES)  # every step is a stop: probes go on from there with all samples
        probe, visits = Probe(model, network, streams, rows, rng), visits_by_weight(network, layers.values())
        for at, step in enumerate(network.steps):
            if (layer := layers.get(step.name)) is not None:
                if layer.name not in found and any(pattern.fits(layer) for pattern in patterns if pattern.fixed_sparsity != 0):
                    by_pattern, sensitivity = probe.measure(visits[layer.weight], patterns)
                    users = [user.name for _, user in visits[layer.weight]]
                    found |= dict.fromkeys(users, by_pattern)
                    sensitivities |= dict.fromkeys(users, sensitivity / len(users))  # they are pruned together, and their errors are added up
                advance()
            streams.advance(at + 1)
    return ErrorModel(found, sensitivities)
