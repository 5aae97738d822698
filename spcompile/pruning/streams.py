"""Calibration samples on their way through the dense and the pruned network, side by side, each node run once."""

import numpy as np
import torch

from spcompile.ir.layer import Layer
from spcompile.pruning.calibration import Calibration
from spcompile.pruning.moments import Moments
from spcompile.pruning.network import Network, Step, Values

ACTIVATION_BYTES = 500e6  # of the values of both networks that are alive at one time


class Streams:
    """The frontier: every value that later nodes still need, of both networks. While nothing differs they share their tensors.

    Activations are largest near the input, where a few samples already give plenty of positions, and smallest near the output, where a sample may give
    a single one. So the walk begins with as many samples as memory holds; further samples join, through the prefix pruned so far, once they fit.
    """

    def __init__(self, network: Network, calibration: Calibration, limit: int | None = None, end: int | None = None):
        """limit: at most so many samples, the first ones. end: the number of the first step that will not be run."""
        self.network = network
        self.feeds = {name: samples[:limit] for name, samples in network.samples(calibration.feeds).items()}
        self.counted = {name: torch.from_numpy(counted[:limit]) for name, counted in calibration.counted.items()}
        self.samples, self.count = len(next(iter(self.feeds.values()))), 0
        self.weights: Values = {}
        self.room = [max(1, int(ACTIVATION_BYTES // (2 * peak))) for peak in network.peak_bytes(end)]
        self.dense: Values = {}
        self.pruned: Values = {}
        self._join(0)

    def moments(self, layer: Layer, at: int, rng: np.random.Generator, samples: slice = slice(None)) -> Moments:
        """Of the input of `layer`, which step number `at` is about to run; of all samples that are there, or of some."""
        if min(self.room[at], self.samples) >= min(2 * self.count, self.samples) > self.count:
            self._join(at)
        return self.moments_of(layer, self.dense[layer.input], self.pruned[layer.input], rng, samples)

    def moments_of(self, layer: Layer, dense: torch.Tensor, pruned: torch.Tensor, rng: np.random.Generator, samples: slice) -> Moments:
        """Of these inputs of `layer`, one for each sample that is there; of some samples."""
        moments, chosen = Moments(layer), dense[samples]
        counted = self.counted[layer.name][: self.count][samples] if layer.name in self.counted else None
        moments.add(chosen, chosen if pruned is dense else pruned[samples], rng, counted)
        return moments

    def same(self, name: str) -> bool:
        """Has this value not been touched by pruning yet?"""
        return self.pruned[name] is self.dense[name]

    def advance(self, step: Step) -> None:
        """Run one node in both networks."""
        run_both(self.network, step, self.dense, self.pruned, self.weights)

    def _join(self, at: int) -> None:
        """Bring more samples to step number `at`, as many at a time as the way there has room for."""
        goal = min(self.room[at], self.samples)
        while self.count < goal:
            end = min(goal, self.count + self.room[0])
            dense = {name: array[self.count : end] for name, array in self.feeds.items()}
            pruned = dict(dense)
            for step in self.network.steps[:at]:
                run_both(self.network, step, dense, pruned, self.weights)
            self._append(dense, pruned)
            self.count = end

    def _append(self, dense: Values, pruned: Values) -> None:
        shared = {name for name in dense if pruned[name] is dense[name] and (not self.count or self.same(name))}
        self.dense = {name: torch.cat([self.dense[name], value]) if self.count else value for name, value in dense.items()}
        pruned = {name: torch.cat([self.pruned[name], value]) if self.count and name not in shared else value for name, value in pruned.items()}
        self.pruned = {name: self.dense[name] if name in shared else value for name, value in pruned.items()}


def run_both(network: Network, step: Step, dense: Values, pruned: Values, weights: Values) -> None:
    """One node, in both networks; what it makes is one tensor where nothing differs. weights: of the pruned network, by name, where they do."""
    same = all(dense.get(name) is pruned.get(name) and name not in weights for name in step.inputs)
    network.step(step, dense)
    if same:
        pruned.update({name: dense[name] for name in step.outputs if name in dense})
        for name in step.dead:
            pruned.pop(name, None)
    else:
        network.step(step, pruned, weights)
