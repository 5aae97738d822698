"""Calibration samples on their way through the dense and the pruned network, side by side, each node run once for every sample."""

from collections.abc import Iterable, Sequence
from copy import copy
from itertools import accumulate, pairwise

import numpy as np
import torch

from spcompile.ir.layer import Layer
from spcompile.pruning.calibration import Calibration
from spcompile.pruning.moments import Moments
from spcompile.pruning.network import Network, Step, Values

ACTIVATION_BYTES = 1e9  # of the values of both networks that wait at a stop, twice that while more join; and as many of those on their way to the next


class Streams:
    """The frontier: every value that later nodes still need, of both networks. While nothing differs they share their tensors.

    Activations are largest near the input, where a few samples already give plenty of positions, and smallest near the output, where a sample may give
    a single one. So the walk begins with as many samples as memory holds; further samples join, through the prefix pruned so far, once they fit.
    Between stops only some of them are on their way at a time: inside an attention much more is alive than before or behind it.
    """

    def __init__(self, network: Network, calibration: Calibration, stops: Sequence[int], limit: int | None = None):
        """stops: the numbers of the steps before which the walk waits, ascending; it ends at the last. limit: at most so many samples, the first ones."""
        self.network, self.alive = network, network.alive()
        self.feeds = {name: samples[:limit] for name, samples in network.samples(calibration.feeds).items()}
        self.counted = {name: torch.from_numpy(counted[:limit]) for name, counted in calibration.counted.items()}
        self.samples, self.count, self.at = len(next(iter(self.feeds.values()))), 0, 0
        self.weights: Values = {}
        self.room = self._rooms((0, *stops))
        self.dense: Values = {}
        self.pruned: Values = {}
        self._join()

    def _rooms(self, stops: Sequence[int]) -> dict[int, int]:
        """By stop: how many samples can wait there and at every later one. On the way to the next, what was alive before and what is made are both held."""
        held = [self._bytes(self.alive[here] | self.alive[there]) for here, there in pairwise((*stops, stops[-1]))]
        most = list(accumulate(reversed(held), max))[::-1]
        return {stop: max(1, int(ACTIVATION_BYTES // (2 * size))) for stop, size in zip(stops, most, strict=True)}

    def _bytes(self, names: Iterable[str]) -> int:
        return sum(self.network.bytes[name] for name in names)

    def _parts(self, first: int, end: int, here: int, there: int) -> list[slice]:
        """Samples first to end, as many at a time as have room on their way from one step to another."""
        most = max((self._bytes(self.alive[at].union(self.network.steps[at].outputs)) for at in range(here, there)), default=1)  # none on no way
        size = max(1, int(ACTIVATION_BYTES // (2 * most)))
        return [slice(start, min(start + size, end)) for start in range(first, end, size)]

    def branch(self) -> "Streams":
        """A second walk from here on; this one stays where it waits."""
        other = copy(self)
        other.dense, other.pruned = dict(self.dense), dict(self.pruned)
        return other

    def fill(self) -> None:
        """Let further samples join where the walk waits, once there is room for twice as many."""
        if min(self.room[self.at], self.samples) >= min(2 * self.count, self.samples) > self.count:
            self._join()

    def moments(self, layer: Layer, rng: np.random.Generator, samples: slice = slice(None)) -> Moments:
        """Of the input of `layer`, before whose step the walk waits; of all samples that are there, or of some."""
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

    def advance(self, stop: int) -> None:
        """Run both networks up to the next stop."""
        parts = self._parts(0, self.count, self.at, stop)
        if len(parts) == 1:  # in place, so that what dies on the way is freed there
            self._run(self.dense, self.pruned, self.at, stop)
        else:
            self.dense, self.pruned = self._run_in_parts(parts, stop)
        self.at = stop

    def _run_in_parts(self, parts: list[slice], stop: int) -> tuple[Values, Values]:
        dense, pruned = {}, {}
        for part in parts:
            self._keep(part, *self._run(*self._of(part), self.at, stop), dense, pruned)
        return dense, pruned

    def _of(self, part: slice) -> tuple[Values, Values]:
        dense = {name: value[part] for name, value in self.dense.items()}
        return dense, {name: dense[name] if self.same(name) else value[part] for name, value in self.pruned.items()}

    def _run(self, dense: Values, pruned: Values, here: int, there: int) -> tuple[Values, Values]:
        for step in self.network.steps[here:there]:
            run_both(self.network, step, dense, pruned, self.weights)
        return dense, pruned

    def _keep(self, part: slice, made_dense: Values, made_pruned: Values, dense: Values, pruned: Values) -> None:
        """Put what was made of some samples where that of all goes; what passed by is there."""
        for name, value in made_dense.items():
            self._put(part, name, value, self.dense, dense)
            if made_pruned[name] is value:
                pruned[name] = dense[name]
            else:
                self._put(part, name, made_pruned[name], self.pruned, pruned)

    def _put(self, part: slice, name: str, value: torch.Tensor, before: Values, kept: Values) -> None:
        if name in before:
            kept[name] = before[name]
        else:
            kept.setdefault(name, value.new_empty(self.count, *value.shape[1:]))[part] = value

    def _join(self) -> None:
        """Bring more samples to where the walk waits."""
        goal = min(self.room[self.at], self.samples)
        frontiers = [(self.dense, self.pruned)] if self.count else []
        for part in self._parts(self.count, goal, 0, self.at):
            dense = {name: array[part] for name, array in self.feeds.items()}
            frontiers.append(self._run(dense, dict(dense), 0, self.at))
        self.count, shared = goal, {name for name in frontiers[0][0] if all(dense[name] is pruned[name] for dense, pruned in frontiers)}
        self.dense = {name: _joined([dense[name] for dense, _ in frontiers]) for name in frontiers[0][0]}
        self.pruned = {name: self.dense[name] if name in shared else _joined([pruned[name] for _, pruned in frontiers]) for name in frontiers[0][1]}


def _joined(parts: list[torch.Tensor]) -> torch.Tensor:
    return parts[0] if len(parts) == 1 else torch.cat(parts)


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
