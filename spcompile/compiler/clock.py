"""This machine's own judgement of how fast compiled networks are, whatever runs them."""

import tempfile
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import onnx_ir as ir

from spcompile.ir.layers import find_layers, weight, with_weights
from spcompile.plan import Plan
from spcompile.progress import Progress
from spcompile.pruning import Magnitude, prune
from spcompile.report.facts import LEAST_NOISE, Measurement, Timing
from spcompile.runtime.measure import Sample, measure
from spcompile.search import Problem, choose
from spcompile.targets import Device
from spcompile.verdict import Verdict

ROUNDS = 6  # of search, build, measure
CONFIRMATIONS = 3  # of a plan with its final weights, each after a search of its own
ANCHOR_S = 0.6  # of measuring the dense network alone
SEARCH_S = 4.0  # of measuring one plan beside the dense network
COMPARE_S = 1.5  # the same of the one that was built
CLOSE = 0.97  # measured over budget from which on nothing is left to gain
STAND_IN = 1e-3  # for a weight that is zero; any number that no processor treats apart
MARGIN = 0.99  # aimed at, of the budget: what is measured wanders by about half a per cent


class Runnable(Protocol):
    """A compiled network."""

    program: Any  # what was compiled; its `steps` are all that decides on its time

    def call(self) -> Callable[[], object]:
        """The network on this machine, on random inputs that stay the same, from its start to its end: for timing."""


class Clock(ABC):
    """Measures compiled networks beside the dense one, in turns, where code for the target runs on this machine."""

    is_target = False  # is this machine itself the target, and not one like it?

    def __init__(self, target: Device, model: ir.Model):
        """model: prepared, as it was given."""
        self.target, self.model = target, model

    @property
    @abstractmethod
    def verdict(self) -> Verdict:
        """Can networks be timed here?"""

    @property
    @abstractmethod
    def machine(self) -> str:
        """What runs them, by name."""

    @abstractmethod
    def tune(self, model: ir.Model, progress: Progress) -> None:
        """Fit a network's kernels to this machine, before it is built or measured."""

    @abstractmethod
    def built(self, model: ir.Model, folder: Path) -> Runnable:
        """Compiled into files that are not needed once it has been loaded."""

    def compare(self, built: Runnable) -> Measurement | Verdict:
        """The network beside the dense one."""
        if not self.verdict:
            return self.verdict
        dense, plan = self._beside_dense(built, COMPARE_S)
        return Measurement(_timing(dense), _timing(plan), self.machine, plan.rounds, dense.over(plan))

    def anchored(self, problem: Problem) -> tuple[Problem, str]:
        """The problem with all times scaled by what the dense network took here over what it was predicted to; and a note that says so."""
        factor = measure({"dense": self._dense[1]}, ANCHOR_S)["dense"].fastest_s / problem.dense_s
        return problem.scaled(factor), f"predicted times were multiplied by {factor:.3g}: what the dense network took here over what it was predicted to"

    def tune_dense(self, progress: Progress) -> None:
        """Before anything is measured beside it."""
        self.tune(filled(self.model), progress)

    def search(self, problem: Problem, limit_s: float, pruned: Callable[[Plan], ir.Model], progress: Progress) -> Plan:
        """The least harmful plan whose measured time, its kernels tuned, keeps the budget; the dense network must be tuned and `problem` anchored.

        pruned: with its final weights, expensive. Where these leave their zeros, a plan takes another time by a few per cent than with masks by magnitude.
        """
        allowed_s = limit_s
        for _ in range(CONFIRMATIONS):
            plan = self._found(problem, allowed_s, progress)
            measured_s = problem.dense_s * self._share_of_dense(pruned(plan), progress)
            if measured_s <= limit_s or not plan.feasible:
                break
            allowed_s *= MARGIN * limit_s / measured_s
        return replace(plan, budget_s=limit_s, feasible=measured_s <= (1 + LEAST_NOISE) * limit_s)

    def _found(self, problem: Problem, limit_s: float, progress: Progress) -> Plan:
        """Predicted times are scaled by what the last plan really took, and the search repeated. Masks by magnitude stand in for the final ones.
        A plan's time is measured as a share of dense's beside it.
        """
        aim_s, kept, fastest = limit_s, None, None
        with progress.stage("measure and search", ROUNDS) as advance:
            for _ in range(ROUNDS):
                plan = choose(problem, aim_s)
                measured_s = problem.dense_s * self._share_of_dense(prune(self.model, plan.pruned, None, Magnitude()).model, progress)
                advance()
                if measured_s <= limit_s and (kept is None or plan.error <= kept.error):
                    kept = plan
                if fastest is None or measured_s < fastest[0]:
                    fastest = (measured_s, plan)
                if CLOSE * limit_s <= measured_s <= limit_s or (not plan.feasible and measured_s > limit_s):
                    break
                aim_s = plan.latency.expected_s * MARGIN * limit_s / measured_s
        return kept if kept is not None else replace(fastest[1], feasible=False)

    def _share_of_dense(self, model: ir.Model, progress: Progress) -> float:
        self.tune(model, progress)
        with tempfile.TemporaryDirectory() as folder:
            dense, plan = self._beside_dense(self.built(model, Path(folder)), SEARCH_S)
        return plan.over(dense)

    def _beside_dense(self, network: Runnable, seconds: float) -> tuple[Sample, Sample]:
        """(dense's, the network's), timed in turns. Where both are one program it takes one time: noise must not tell them apart."""
        steps, call = self._dense
        if network.program.steps == steps:
            sample = measure({"dense": call}, seconds)["dense"]
            return sample, sample
        samples = measure({"dense": call, "plan": network.call()}, seconds)
        return samples["dense"], samples["plan"]

    @cached_property
    def _dense(self) -> tuple[Sequence, Callable[[], object]]:
        """Its steps, and its call."""
        with tempfile.TemporaryDirectory() as folder:  # a library that is loaded outlives its file
            built = self.built(filled(self.model), Path(folder))
            return built.program.steps, built.call()


def filled(model: ir.Model) -> ir.Model:
    """A copy whose layers have no zeros, for timing: of a network that is sparse already, what it would take if nobody used its zeros."""
    matrices = {layer.name: weight(model, layer) for layer in find_layers(model)}
    return with_weights(model, {name: np.where(matrix == 0, np.float32(STAND_IN), matrix) for name, matrix in matrices.items() if not matrix.all()})


def _timing(sample: Sample) -> Timing:
    low_s, median_s, high_s = sample.quartiles_s
    return Timing(sample.fastest_s, median_s, low_s, high_s)
