"""Predicted against measured latency of whole networks on this host: dense, and planned for several speed-ups.

    python benchmarks/network_predictions.py [--only resnet20] [--plans 1.5,2,3] [--threads 1] [--seconds 6] [--json FILE]

Predictions are those that plans are chosen by: no measurement enters them. Plans come from data-free errors, masks from magnitudes: time depends on
where zeros are, not on what they cost. In brackets: the speed-up over dense that was planned, and measured. Weights of layers that were given zeros
already (squeezenet10_sparse) are filled in dense.
"""

import argparse
import json
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
import numpy as np
from networks import Network, networks

from spcompile.compiler.building import build, filled
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


@dataclass(frozen=True)
class Point:
    """One variant of a network: predicted seconds, and measured."""

    predicted_s: float
    sample: Sample

    @property
    def ratio(self) -> float:
        return self.predicted_s / self.sample.median_s


def compare(network: Network, speedups: list[float], threads: int, seconds: float) -> dict[str, Point]:
    """-> "dense" and each speed-up; all are timed in turns."""
    target = load_target("host")
    model = filled(network.prepared())
    problem = problem_of(
        model, Predictor(lower(model, target, threads), target, threads), target, threads, GENERAL, measure_errors(model, patterns=GENERAL).error, Silent()
    )
    predicted, variants = {"dense": problem.dense_s}, {"dense": model}
    for speedup in speedups:
        plan = choose(problem, problem.dense_s / speedup)
        predicted[f"{speedup:g}x"], variants[f"{speedup:g}x"] = plan.latency.expected_s, prune(model, plan.pruned, None, Magnitude()).model
    with tempfile.TemporaryDirectory() as folder:
        calls = {name: build(variant, target, threads, Path(folder) / f"{name}.so").call(threads) for name, variant in variants.items()}
        samples = measure(calls, seconds)
    return {name: Point(predicted[name], samples[name]) for name in variants}


def line(found: dict[str, Point]) -> str:
    dense = found["dense"]
    cells = (
        f"{name} {p.predicted_s * 1e3:.3f}/{p.sample.median_s * 1e3:.3f} = {p.ratio:.2f}"
        f" [{dense.predicted_s / p.predicted_s:.2f}x, {dense.sample.over(p.sample):.2f}x]"
        for name, p in found.items()
    )
    return ", ".join(cells)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", help="names, by commas")
    parser.add_argument("--plans", default="1.5,2,3", help="speed-ups planned for")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=6.0, help="of timing, a network")
    parser.add_argument("--json", type=Path, help="where all points go, for plot_predictions.py")
    args = parser.parse_args()
    known, everything = networks(), {}
    print(f"{cpu_model()}, {args.threads} thread(s); predicted / measured median in ms")
    for name in args.only.split(",") if args.only else known:
        everything[name] = compare(known[name], [float(text) for text in args.plans.split(",")], args.threads, args.seconds)
        print(f"{name}: {line(everything[name])}", flush=True)
    points = [point for found in everything.values() for point in found.values()]
    ratios = np.array([point.ratio for point in points])
    relative = np.array([p.predicted_s / f["dense"].predicted_s * f["dense"].sample.over(p.sample) for f in everything.values() for p in f.values()])
    error, apart = np.abs(ratios - 1), np.abs(relative - 1)
    print(f"{len(ratios)} networks: median error {np.median(error):.1%}, worst {error.max():.1%}, median predicted / measured {np.median(ratios):.2f}")
    print(f"relative to dense: median error {np.median(apart):.1%}, worst {apart.max():.1%}, median {np.median(relative):.2f}")
    if args.json:
        args.json.write_text(json.dumps({"Whole networks": [(name, p.predicted_s, p.sample.median_s) for name, f in everything.items() for p in f.values()]}))


if __name__ == "__main__":
    main()
