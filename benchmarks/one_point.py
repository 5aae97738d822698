"""The figure that users feel: the largest measured speed-up at no more than one point lost, on this host, one thread.

    python benchmarks/one_point.py [--only resnet20] [--samples 256] [--recover 10min] [--drop 1%] [--json FILE]

Ours: `--max-drop`, pattern and level chosen per layer, one-shot or with recovery. Beside it magnitude with one pattern and level in all layers: of
every pattern the highest level that keeps the accuracy, the fastest of those as measured. Accuracy by labels that pruning and recovery never see.
"""

import argparse
import json
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from networks import Network, networks

from spcompile import compile as compile_network
from spcompile.budget import parse_drop
from spcompile.compiler.building import Host, build
from spcompile.ir.layers import find_layers
from spcompile.patterns import PATTERNS, Choice, Pattern
from spcompile.pruning import Magnitude, prune
from spcompile.targets import load_target

NETWORKS = "resnet20,resnet56,dscnn,mobilenet_v1,mobilenet_v2,efficientnet_lite0,squeezenet10_sparse,ppocr_rec,minilm"
SAME_SCORE = 1e-9  # accuracies closer than this are the same count of right answers


@dataclass(frozen=True)
class Row:
    network: str
    before: float
    uniform: str  # of magnitude: pattern and level
    uniform_speedup: float
    uniform_after: float
    speedup: float
    after: float
    pruned: float | None  # before recovery


def ours(network: Network, samples: int, drop: str, recover: str | None):
    with tempfile.TemporaryDirectory() as folder:
        return compile_network(
            network.source(), target="host", max_drop=drop, calibration=network.calibration(samples), evaluate=network.score, recover=recover,
            input_shapes=network.input_shapes or None, example_inputs=network.example_inputs() if network.example_inputs else None,
            output=Path(folder) / "artifact",
        ).report  # fmt: skip


def by_magnitude(network: Network, floor: float) -> tuple[str, float, float]:
    """-> notation, measured speed-up, accuracy of the fastest uniform plan; dense where none keeps the accuracy or is faster."""
    model, target, best = network.prepared(), load_target("host"), ("dense", 1.0, network.score(network.prepared()))
    host, layers = Host(target, 1, model), find_layers(model)

    def pruned(pattern: Pattern, level: float):
        choices = {layer.name: Choice(pattern, level) for layer in layers if pattern.fits(layer) and not layer.depthwise}
        return prune(model, choices, None, Magnitude()).model

    for pattern in (pattern for pattern in PATTERNS if pattern.fixed_sparsity != 0 and any(map(pattern.fits, layers))):
        found = None
        for level in pattern.levels:
            candidate = pruned(pattern, level)
            if (accuracy := network.score(candidate)) < floor:
                break
            found = level, candidate, accuracy
        if found is not None:
            with tempfile.TemporaryDirectory() as folder:
                speedup = host.compare(build(found[1], target, 1, Path(folder) / "plan.so")).speedup
            best = max(best, (Choice(pattern, found[0]).notation, speedup, found[2]), key=lambda row: row[1])
    return best


def row(network: Network, samples: int, drop: str, recover: str | None) -> Row:
    report = ours(network, samples, drop, recover)
    accuracy = report.accuracy
    floor = accuracy.before - parse_drop(drop) - SAME_SCORE
    return Row(network.name, accuracy.before, *by_magnitude(network, floor), report.measured.speedup, accuracy.after, accuracy.pruned)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default=NETWORKS)
    parser.add_argument("--samples", type=int, default=256)
    parser.add_argument("--recover", metavar="10min")
    parser.add_argument("--drop", default="1%")
    parser.add_argument("--json", help="write the rows here too")
    args = parser.parse_args()
    known, rows = networks(), []
    print("| network | dense | magnitude, uniform | its speed-up | its accuracy | our speed-up | our accuracy | before recovery |")
    print("|---|---|---|---|---|---|---|---|", flush=True)
    for name in args.only.split(","):
        rows.append(made := row(known[name], args.samples, args.drop, args.recover))
        before = "" if made.pruned is None else f"{made.pruned:.2%}"
        print(
            f"| {name} | {made.before:.2%} | {made.uniform} | {made.uniform_speedup:.2f}x | {made.uniform_after:.2%}"
            f" | {made.speedup:.2f}x | {made.after:.2%} | {before} |",
            flush=True,
        )
    if args.json:
        Path(args.json).write_text(json.dumps([asdict(made) for made in rows], indent=1) + "\n")


if __name__ == "__main__":
    main()
