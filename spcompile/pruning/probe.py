"""What pruning one weight does to the outputs of the dense network."""

from collections.abc import Iterable
from functools import reduce

import numpy as np
import onnx_ir as ir
import torch

from spcompile.ir.layer import Layer
from spcompile.ir.layers import bias, find_layers, shared_weights, weight
from spcompile.patterns import Choice, Pattern, Unstructured
from spcompile.pruning.algebra import solve
from spcompile.pruning.curves import Curve, curves
from spcompile.pruning.distortion import distortion
from spcompile.pruning.evidence import Evidence, diagonal
from spcompile.pruning.influence import RowFactors
from spcompile.pruning.network import Network, Step, Values
from spcompile.pruning.pooled import Visits, ahead, merged
from spcompile.pruning.streams import Streams, run_both
from spcompile.pruning.trials import JUDGING_SHARE, QUICK

SAMPLES = 64  # of the calibration data, the first ones
ABSORBERS = 3  # layers behind a pruned one that make up for it while its sensitivity is measured; more change little
PROBED_ERROR = 0.05  # of the layer's output: large beside rounding, small enough that errors still add up


class Probe:
    """Prunes one layer of the dense network and runs what lies behind it, where the next layers are solved anew for what reaches them."""

    def __init__(self, model: ir.Model, network: Network, streams: Streams, rows: RowFactors, rng: np.random.Generator):
        """streams: at the first step of `network`, the scored model; nothing is pruned in them."""
        self.model, self.network, self.streams, self.rows, self.rng = model, network, streams, rows, rng
        self.layers = {layer.name: layer for layer in find_layers(model)}
        self.shared = shared_weights(tuple(self.layers.values()))  # cannot make up for anything alone
        judges = max(1, round(JUDGING_SHARE * min(SAMPLES, streams.count)))
        self.judging = slice(judges)
        self.fitted = slice(judges, None) if streams.count > judges else slice(None)
        self.dense = self._judged(streams.dense, {}, network.steps)

    def measure(self, visits: Visits, patterns: tuple[Pattern, ...]) -> tuple[dict[Pattern, Curve], float]:
        """-> one curve for each pattern, and the sensitivity: relative squared error of the outputs for each unit of the layers' own.

        visits: all layers of one weight; before the step of the first the streams wait.
        """
        self.streams.fill()
        evidence, judge = reduce(lambda sums, more: tuple(map(merged, sums, more)), (self._seen(*each) for each in ahead(self.streams, visits)))
        found = curves(evidence, judge, tuple(dict.fromkeys((*patterns, Unstructured()))), self.rng)
        return found, self._sensitivity(evidence, judge, found[Unstructured()], visits[0][0])

    def _seen(self, streams: Streams, layer: Layer) -> tuple[Evidence, Evidence]:
        """Of the samples that fit, and of those that judge."""
        dense, rows = weight(self.model, layer), diagonal(self.rows[layer.name])
        return tuple(streams.moments(layer, self.rng, part).evidence(dense, rows) for part in (self.fitted, self.judging))

    def _sensitivity(self, evidence: Evidence, judge: Evidence, curve: Curve, at: int) -> float:
        level = min(curve.sparsities, key=lambda sparsity: abs(np.log(max(curve.at(sparsity), 1e-9) / PROBED_ERROR)))
        new = QUICK.solver.solve(evidence, QUICK.mask(evidence, Choice(Unstructured(), level)))
        return distortion([(self.dense, self._outputs(self._written(evidence, new), at))]) / max(judge.relative_error(new), 1e-9)

    def _outputs(self, weights: Values, at: int) -> dict[str, np.ndarray]:
        """Of the network with these weights, from step number `at` on; those of the next layers join them."""
        dense, absorbed, number = dict(self.streams.dense), 0, at
        pruned = dict(dense)
        while number < len(self.network.steps) and absorbed < ABSORBERS:
            step = self.network.steps[number]
            layer = self.layers.get(step.name)
            if layer is not None and self._absorbs(layer, weights) and pruned[layer.input] is not dense[layer.input]:
                weights |= self._solved(layer, dense[layer.input], pruned[layer.input])
                absorbed += 1
            run_both(self.network, step, dense, pruned, weights)
            number += 1
        return self._judged(pruned, weights, self.network.steps[number:])

    def _absorbs(self, layer: Layer, weights: Values) -> bool:
        return layer.weight not in weights and layer.weight not in self.shared

    def _solved(self, layer: Layer, dense: torch.Tensor, pruned: torch.Tensor) -> Values:
        """Its weights and bias that bring what comes out of pruned inputs nearest to what came out of dense ones; no weight is pruned."""
        evidence = self.streams.moments_of(layer, dense, pruned, self.rng, self.fitted).evidence(weight(self.model, layer))
        return self._written(evidence, solve(*evidence.normal_equations()).reshape(evidence.weight.shape).astype(np.float32))

    def _written(self, evidence: Evidence, new: np.ndarray) -> Values:
        layer = evidence.layer
        written = {layer.weight: torch.from_numpy(layer.from_matrix(new))}
        if layer.bias is not None:
            written[layer.bias] = torch.from_numpy(bias(self.model, layer) + evidence.bias_shift(new))
        return written

    def _judged(self, frontier: Values, weights: Values, steps: Iterable[Step]) -> dict[str, np.ndarray]:
        values = self.network.run({name: value[self.judging] for name, value in frontier.items()}, weights, steps)
        return {name: values[name].double().numpy() for name in self.network.outputs}
