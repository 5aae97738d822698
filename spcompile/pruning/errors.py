"""What a layer's option is predicted to do to the network's output: the number that the search adds up."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from spcompile.ir.layer import Layer
from spcompile.ir.layers import bias, find_layers, weight
from spcompile.patterns import PATTERNS, Choice, Pattern, Unstructured
from spcompile.progress import Advance, Progress, Silent
from spcompile.pruning.algebra import solve
from spcompile.pruning.calibration import Calibration
from spcompile.pruning.curves import Curve, curves, weight_curves
from spcompile.pruning.distortion import distortion
from spcompile.pruning.evidence import Evidence, diagonal
from spcompile.pruning.influence import RowFactors, influence
from spcompile.pruning.scores import scored
from spcompile.pruning.solvers import LeastSquares
from spcompile.pruning.wanda import Wanda

SAMPLES = 64  # of the calibration data, the first ones
JUDGING_SHARE = 0.25  # of them; errors are read on these, weights are fitted to the others
ABSORBERS = 3  # layers behind a pruned one that make up for it while its sensitivity is measured; more change little
PROBED_ERROR = 0.05  # of the layer's output: large beside rounding, small enough that errors still add up
QUICK = Wanda(solver=LeastSquares(tolerance=1e-2))  # ranks what is pruned as the best pruner does, in a fraction of its time


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
    from spcompile.pruning.streams import Streams

    layers, found, sensitivities = {layer.name: layer for layer in find_layers(model)}, {}, {}
    with torch.no_grad():
        network = Network(scored(model))
        streams = Streams(network, calibration, range(len(network.steps) + 1), SAMPLES)  # every step is a stop: probes go on from there with all samples
        probe = _Probe(model, network, streams, rng)
        for at, step in enumerate(network.steps):
            if (layer := layers.get(step.name)) is not None:
                if any(pattern.fits(layer) for pattern in patterns if pattern.fixed_sparsity != 0):
                    known = weight(model, layer), diagonal(rows[layer.name])
                    evidence, judge = (streams.moments(layer, rng, part).evidence(*known) for part in (probe.fitted, probe.judging))
                    found[layer.name] = curves(evidence, judge, tuple(dict.fromkeys((*patterns, Unstructured()))), rng)
                    sensitivities[layer.name] = probe.sensitivity(evidence, judge, found[layer.name][Unstructured()], at)
                advance()
            streams.advance(at + 1)
    return ErrorModel(found, sensitivities)


class _Probe:
    """Prunes one layer of the dense network and runs what lies behind it, where the next layers are solved anew for what reaches them."""

    def __init__(self, model: ir.Model, network, streams, rng: np.random.Generator):
        self.model, self.network, self.streams, self.rng = model, network, streams, rng
        self.layers = {layer.name: layer for layer in find_layers(model)}
        judges = max(1, round(JUDGING_SHARE * min(SAMPLES, streams.count)))
        self.judging = slice(judges)
        self.fitted = slice(judges, None) if streams.count > judges else slice(None)
        self.dense = self._judged(streams.dense, {}, network.steps)

    def sensitivity(self, evidence: Evidence, judge: Evidence, curve: Curve, at: int) -> float:
        """Relative squared error of the outputs for each unit of the layer's own, `at` being its step."""
        level = min(curve.sparsities, key=lambda sparsity: abs(np.log(max(curve.at(sparsity), 1e-9) / PROBED_ERROR)))
        new = QUICK.solver.solve(evidence, QUICK.mask(evidence, Choice(Unstructured(), level)))
        return distortion([(self.dense, self._outputs(self._written(evidence, new), at))]) / max(judge.relative_error(new), 1e-9)

    def _outputs(self, weights: dict, at: int) -> dict[str, np.ndarray]:
        """Of the network with these weights, from step number `at` on; those of the next layers join them."""
        from spcompile.pruning.streams import run_both

        dense, absorbed, number = dict(self.streams.dense), 0, at
        pruned = dict(dense)
        while number < len(self.network.steps) and absorbed < ABSORBERS:
            step = self.network.steps[number]
            layer = self.layers.get(step.name)
            if layer is not None and layer.weight not in weights and pruned[layer.input] is not dense[layer.input]:
                weights |= self._solved(layer, dense[layer.input], pruned[layer.input])
                absorbed += 1
            run_both(self.network, step, dense, pruned, weights)
            number += 1
        return self._judged(pruned, weights, self.network.steps[number:])

    def _solved(self, layer: Layer, dense, pruned) -> dict:
        """Its weights and bias that bring what comes out of pruned inputs nearest to what came out of dense ones; no weight is pruned."""
        evidence = self.streams.moments_of(layer, dense, pruned, self.rng, self.fitted).evidence(weight(self.model, layer))
        return self._written(evidence, solve(*evidence.normal_equations()).reshape(evidence.weight.shape).astype(np.float32))

    def _written(self, evidence: Evidence, new: np.ndarray) -> dict:
        import torch

        layer = evidence.layer
        written = {layer.weight: torch.from_numpy(layer.from_matrix(new))}
        if layer.bias is not None:
            written[layer.bias] = torch.from_numpy(bias(self.model, layer) + evidence.bias_shift(new))
        return written

    def _judged(self, frontier, weights: dict, steps) -> dict[str, np.ndarray]:
        values = self.network.run({name: value[self.judging] for name, value in frontier.items()}, weights, steps)
        return {name: values[name].double().numpy() for name in self.network.outputs}
