"""Predicted against measured latency of whole networks on this host: dense, and planned for several speed-ups. The part `networks` of cost_models.py.

Predictions are those that plans are chosen by: no measurement enters them. Plans come from data-free errors, masks from magnitudes: time depends on
where zeros are, not on what they cost. In brackets: the speed-up over dense that was planned, and measured. Weights of layers that were given zeros
already (squeezenet10_sparse) are filled in dense.
"""

import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from arm_published import Points
from networks import Network, networks
from one_layer import summary

from spcompile.compiler.building import build
from spcompile.compiler.clock import filled
from spcompile.compiler.planning import problem_of
from spcompile.lowering.lower import lower
from spcompile.lowering.predict import Predictor
from spcompile.patterns import GENERAL
from spcompile.progress import Silent
from spcompile.pruning import Magnitude, prune
from spcompile.pruning.errors import measure_errors
from spcompile.runtime.host import cpu_model
from spcompile.runtime.measure import Sample, measure
from spcompile.search import choose
from spcompile.targets import load_target

PLANS = (1.5, 2.0, 3.0)  # speed-ups planned for
SECONDS = 6.0  # of timing, a network


@dataclass(frozen=True)
class Point:
    """One variant of a network: predicted seconds, and measured."""

    predicted_s: float
    sample: Sample

    @property
    def ratio(self) -> float:
        return self.predicted_s / self.sample.median_s


def compare(network: Network) -> dict[str, Point]:
    """-> "dense" and each speed-up; all are timed in turns."""
    target = load_target("host")
    model = filled(network.prepared())
    problem = problem_of(model, Predictor(lower(model, target, 1), target, 1), target, 1, GENERAL, measure_errors(model, patterns=GENERAL).error, Silent())
    predicted, variants = {"dense": problem.dense_s}, {"dense": model}
    for speedup in PLANS:
        plan = choose(problem, problem.dense_s / speedup)
        predicted[f"{speedup:g}x"], variants[f"{speedup:g}x"] = plan.latency.expected_s, prune(model, plan.pruned, None, Magnitude()).model
    with tempfile.TemporaryDirectory() as folder:
        calls = {name: build(variant, target, 1, Path(folder) / f"{name}.so").call() for name, variant in variants.items()}
        samples = measure(calls, SECONDS)
    return {name: Point(predicted[name], samples[name]) for name in variants}


def line(found: dict[str, Point]) -> str:
    dense = found["dense"]
    cells = (
        f"{name} {p.predicted_s * 1e3:.3f}/{p.sample.median_s * 1e3:.3f} = {p.ratio:.2f}"
        f" [{dense.predicted_s / p.predicted_s:.2f}x, {dense.sample.over(p.sample):.2f}x]"
        for name, p in found.items()
    )
    return ", ".join(cells)


def judge_networks_here(names: list[str]) -> Points:
    """Every variant of each network, on one thread."""
    known, everything = networks(), {}
    print(f"\n== Whole networks on {cpu_model()}, one thread; predicted / measured median in ms")
    for name in names:
        everything[name] = compare(known[name])
        print(f"{name}: {line(everything[name])}", flush=True)
    points = [point for found in everything.values() for point in found.values()]
    relative = np.array([p.predicted_s / f["dense"].predicted_s * f["dense"].sample.over(p.sample) for f in everything.values() for p in f.values()])
    print(f"{len(points)} networks: {summary(np.array([point.ratio for point in points]))}; relative to dense: {summary(relative)}")
    return {"Whole networks": [(name, p.predicted_s, p.sample.median_s) for name, found in everything.items() for p in found.values()]}
