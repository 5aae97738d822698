"""Accuracy after one-shot pruning, every layer that can at one level, by magnitude and by the pruner of the project; and after recovery.

    python benchmarks/accuracy.py [--only resnet20,mobilenet_v1] [--samples N] [--pruners magnitude,wanda+least-squares,obc,admm] [--levels 2:4,block4x1@0.5]
                                  [--erdos-renyi] [--channels-as-they-are]
    python benchmarks/accuracy.py --recover 10min [--only ...] [--samples N] [--levels ...]

Calibration samples carry no labels; accuracy is top-1 in ONNX Runtime on images that were never used for pruning, of MiniLM Spearman's correlation on
STS-B's test set. Depthwise layers stay dense, as every pattern leaves them. `+least-squares` after the name of a pruner that keeps weights as they are
updates them under its mask. With --erdos-renyi a level is that of the network, and layers share it by their shapes; patterns of one level are left out.
Beside each accuracy are the seconds of pruning alone; memory is the largest peak of the row's processes, each of which prunes once and does nothing else.
"""

import argparse
import multiprocessing
import resource
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
from networks import names_among, networks

from spcompile.budget import parse_duration
from spcompile.compiler.inputs import chosen_pruner
from spcompile.ir.layers import find_layers
from spcompile.patterns import parse_choice
from spcompile.pruning import LeastSquares, Pruner, calibration_from, erdos_renyi_kernel, permuted, prune
from spcompile.training import held_out, recover

LEVELS = {
    "resnet20": ("unstructured@0.5", "unstructured@0.7", "unstructured@0.8", "unstructured@0.9", "2:4", "block4x1@0.5", "block4x1@0.7"),
    "mobilenet_v1": ("unstructured@0.3", "unstructured@0.5", "unstructured@0.7", "2:4", "block4x1@0.3", "block4x1@0.5"),
    "minilm": ("unstructured@0.5", "2:4"),
}
SAMPLES = {"resnet20": 1000, "mobilenet_v1": 512, "minilm": 512}
RECOVERED_LEVELS = {
    "resnet20": ("block4x1@0.7", "block4x1@0.8", "unstructured@0.9"),
    "mobilenet_v1": ("unstructured@0.5", "block4x1@0.3", "block4x1@0.5"),
    "efficientnet_lite0": ("unstructured@0.5",),
}
RECOVERY_SAMPLES = {"resnet20": 4000, "mobilenet_v1": 512, "efficientnet_lite0": 512}
SEED = 0
UPDATED = "+least-squares"


@dataclass(frozen=True)
class Row:
    network: str
    choice: str
    pruner: str
    accuracy: float
    pruning_s: float
    peak_bytes: int


def pruner_of(name: str) -> Pruner:
    pruner = chosen_pruner(name.removesuffix(UPDATED))
    return replace(pruner, solver=LeastSquares()) if name.endswith(UPDATED) else pruner


def measure(name: str, notation: str, pruner_name: str, samples: int, by_shape: bool = False, ordered: bool = True) -> Row:
    """One row, in the process that calls it. by_shape: the layers' levels are those of `erdos_renyi_kernel`. ordered: see `permuted`."""
    network, pruner = networks()[name], pruner_of(pruner_name)
    model, choice = network.prepared(), parse_choice(notation)
    calibration = calibration_from(network.calibration(samples), model)
    choices = {layer.name: choice for layer in find_layers(model) if choice.sparsity and choice.pattern.fits(layer)}
    if by_shape:
        choices = erdos_renyi_kernel(find_layers(model), choice.pattern, choice.sparsity)
    started = time.perf_counter()
    if ordered and pruner.needs_data:
        model = permuted(model, [choice.pattern], calibration)
    pruned = prune(model, choices, calibration, pruner, SEED)
    pruning_s = time.perf_counter() - started
    peak_bytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return Row(name, notation, pruner_name, network.score(pruned.model), pruning_s, peak_bytes)


@dataclass(frozen=True)
class Recovery:
    """The same network before and after; seconds and memory of pruning and recovery together."""

    pruned: float
    recovered: float
    spent_s: float
    peak_bytes: int
    note: str


def measure_recovery(name: str, notation: str, samples: int, recover_s: float) -> Recovery:
    """As `spcompile --recover` does it: pruned with the samples that do not judge, by the best pruner."""
    network = networks()[name]
    model, choice = network.prepared(), parse_choice(notation)
    learned, judged = held_out(calibration_from(network.calibration(samples), model), model, SEED)
    choices = {layer.name: choice for layer in find_layers(model) if choice.pattern.fits(layer)}
    started = time.perf_counter()
    model = permuted(model, [choice.pattern], learned)
    pruned = prune(model, choices, learned, seed=SEED)
    recovered = recover(model, pruned, choices, learned, judged, recover_s, SEED)
    spent_s, peak_bytes = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return Recovery(network.score(pruned.model), network.score(recovered.model), spent_s, peak_bytes, recovered.notes[-1])


def alone(function, *arguments) -> Row | Recovery:
    """`measure` or `measure_recovery` in a fresh process, so that its peak of memory is its own."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(function, arguments)


def table(name: str, levels: tuple[str, ...], samples: int, pruners: tuple[str, ...], by_shape: bool, ordered: bool) -> None:
    dense = alone(measure, name, "dense", "magnitude", samples)
    print(f"\n{name}: dense {dense.accuracy:.2%}, {samples} calibration samples, seed {SEED}\n", flush=True)
    print(f"| {'the network' if by_shape else 'every layer'} | {' | '.join(pruners)} | peak_GB |\n|---|{'---|' * (len(pruners) + 1)}", flush=True)
    for notation in levels:
        if by_shape and parse_choice(notation).pattern.fixed_sparsity is not None:
            continue
        rows = [alone(measure, name, notation, pruner, samples, by_shape, ordered) for pruner in pruners]
        cells = " | ".join(f"{row.accuracy:.2%}, {row.pruning_s:.0f} s" for row in rows)
        print(f"| {notation} | {cells} | {max(row.peak_bytes for row in rows) / 1e9:.2f} |", flush=True)


def recovery_table(name: str, levels: tuple[str, ...], samples: int, recover: str) -> None:
    print(f"\n{name}: {samples} calibration samples, --recover {recover}, seed {SEED}\n", flush=True)
    print("| every layer | pruned | recovered | pruning_and_recovery_s | peak_GB | what it says |\n|---|---|---|---|---|---|", flush=True)
    for notation in levels:
        row = alone(measure_recovery, name, notation, samples, parse_duration(recover))
        print(f"| {notation} | {row.pruned:.2%} | {row.recovered:.2%} | {row.spent_s:.0f} | {row.peak_bytes / 1e9:.2f} | {row.note} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", type=names_among({**LEVELS, **RECOVERED_LEVELS}), help="networks; default all")
    parser.add_argument("--levels", help="such as 2:4,block4x1@0.5; default those of the tables in docs/accuracy.md")
    parser.add_argument("--recover", metavar="10min", help="a table of recovery instead")
    parser.add_argument("--samples", type=int, help="calibration samples, the same for every network")
    parser.add_argument("--pruners", default="magnitude,auto", help="names as of spcompile --pruner")
    parser.add_argument("--erdos-renyi", action="store_true", help="layers share the level by their shapes, instead of having it each")
    parser.add_argument("--channels-as-they-are", action="store_true", help="not put in an order that suits blocks of rows or N:M")
    args = parser.parse_args()
    print(f"numpy {np.__version__}, {multiprocessing.cpu_count()} cores")
    known, samples = (RECOVERED_LEVELS, RECOVERY_SAMPLES) if args.recover else (LEVELS, SAMPLES)
    for name in args.only or known:
        if name not in known and not (args.levels and args.samples):
            parser.error(f"{name}: no levels of its own here; say --levels and --samples")
        levels, count = tuple(args.levels.split(",")) if args.levels else known[name], args.samples or samples[name]
        if args.recover:
            recovery_table(name, levels, count, args.recover)
        else:
            table(name, levels, count, tuple(args.pruners.split(",")), args.erdos_renyi, not args.channels_as_they_are)


if __name__ == "__main__":
    main()
