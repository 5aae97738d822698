"""How long planning takes and how it grows: every pattern at twelve levels, data-free errors, a budget of half the time, no compiling.

    python benchmarks/planning.py [--target cortex-a76] [--only resnet50,transformer12,transformer24]

Printed are seconds of the wall clock and, in brackets, of processors; the transformers show whether time grows with the layers and not faster.
"""

import argparse
import resource
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from networks import names_among
from random_resnet50 import random_resnet50
from transformer import random_transformer

from spcompile.compiler.inputs import prepared
from spcompile.compiler.planning import problem_of
from spcompile.ir.layers import find_layers
from spcompile.lowering.lower import lower
from spcompile.lowering.predict import Predictor
from spcompile.patterns import GENERAL, Pattern
from spcompile.progress import Silent
from spcompile.pruning.errors import measure_errors
from spcompile.search import choose
from spcompile.targets import load_target

LEVELS = (0.3, 0.4, 0.5, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.93, 0.95)
MODELS: dict[str, Callable] = {
    "resnet50": random_resnet50,
    "transformer12": lambda: random_transformer(12),
    "transformer24": lambda: random_transformer(24),
}


def at_twelve_levels(pattern: Pattern) -> Pattern:
    """The same pattern, offering LEVELS; N:M and dense keep the one they have."""
    if pattern.fixed_sparsity is not None:
        return pattern
    finer = type(pattern.notation, (type(pattern),), {"levels": LEVELS})
    return finer(**vars(pattern))


class Stages:
    """Seconds of each stage of one network's planning."""

    def __init__(self):
        self.wall: dict[str, float] = {}
        self.processors: dict[str, float] = {}

    @contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        begin = time.perf_counter(), time.process_time()
        yield
        self.wall[name], self.processors[name] = time.perf_counter() - begin[0], time.process_time() - begin[1]


def plan(name: str, target_name: str) -> float:
    """-> processor seconds; prints them stage by stage."""
    source, target, stage = MODELS[name](), load_target(target_name), Stages()
    patterns = tuple(map(at_twelve_levels, GENERAL))
    with stage("prepare"):
        model = prepared(source, None, None)
    with stage("lower"):
        predictor = Predictor(lower(model, target, 1), target, 1)
    with stage("errors"):
        errors = measure_errors(model, None, patterns)
    with stage("weigh options"):
        problem = problem_of(model, predictor, target, 1, patterns, errors.error, Silent())
    with stage("search"):
        choose(problem, problem.dense_s / 2)
    wall, processors, layers = sum(stage.wall.values()), sum(stage.processors.values()), find_layers(model)
    weights, options = sum(layer.rows * layer.columns for layer in layers), sum(len(layer.options) for layer in problem.layers)
    parts = ", ".join(f"{part} {seconds:.1f} ({stage.processors[part]:.1f})" for part, seconds in stage.wall.items())
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"{name}: {len(layers)} layers, {weights / 1e6:.0f} M weights, {options} options that pay, peak {peak:.1f} GB")
    print(f"    {wall:.1f} s ({processors:.1f}): {parts}", flush=True)
    return processors


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--target", default="cortex-a76")
    parser.add_argument("--only", type=names_among(MODELS), default=",".join(MODELS), help="names, by commas")
    args = parser.parse_args()
    seconds = {name: plan(name, args.target) for name in args.only}
    if {"transformer12", "transformer24"} <= seconds.keys():
        print(f"twice the layers took {seconds['transformer24'] / seconds['transformer12']:.2f} times the processor time")


if __name__ == "__main__":
    main()
