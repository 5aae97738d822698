"""The figure that users feel: the largest measured speed-up at no more than one point lost, on this host, one thread.

    bash benchmarks/setup_rivals.sh      # once, for the columns of NNCF and Torch-Pruning
    python benchmarks/one_point.py [--only resnet20] [--samples 256] [--recover 10min] [--drop 1%] [--json FILE]
                                   [--against magnitude nncf torch-pruning]

Ours: `--max-drop`, pattern and level chosen per layer, one-shot or with recovery. Beside it, one-shot: magnitude with one pattern and level in all
layers; NNCF's `prune`; Torch-Pruning's channels (rivals.py). Each raises its level as long as the accuracy keeps, in every pattern or mode it has, and
its fastest network counts, as measured beside the dense one; all are compiled by us. Accuracy by labels that pruning and recovery never see.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

import onnx_ir as ir

sys.path.insert(0, str(Path(__file__).parent))
from networks import Network, names_among, networks

from spcompile import compile as compile_network
from spcompile.budget import SAME_SCORE, parse_drop
from spcompile.compiler.building import Host, build
from spcompile.compiler.inputs import prepared
from spcompile.ir.layers import find_layers
from spcompile.patterns import GENERAL, Choice, Pattern
from spcompile.pruning import Magnitude, prune
from spcompile.report.report import Report
from spcompile.runtime.artifact import MODEL
from spcompile.targets import load_target

NETWORKS = "resnet20,resnet56,dscnn,mobilenet_v1,mobilenet_v2,efficientnet_lite0,squeezenet10_sparse,ppocr_rec,minilm"

TOOLS = {"nncf": ("nncf-local", "nncf-global"), "torch-pruning": ("torch-pruning",)}
AGAINST = ("magnitude", *TOOLS)
MEASUREMENTS = 3
TOOL_LEVELS = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
RIVALS = Path(__file__).parents[1] / "build" / "rivals"
HERE = Path(__file__).parent


@dataclass(frozen=True)
class Found:
    """The fastest network of one tool that keeps the accuracy."""

    how: str  # in the tool's own words; "as it is" where none keeps it or is faster
    speedup: float
    accuracy: float


@dataclass(frozen=True)
class Row:
    network: str
    dense: float
    pruned: float | None  # ours, before recovery
    found: dict[str, Found]  # by tool, ours first


def ours(network: Network, samples: int, drop: str, recover: str | None) -> tuple[Report, ir.Model]:
    """The report, and the network as pruned."""
    with tempfile.TemporaryDirectory() as folder:
        result = compile_network(
            network.source(), target="host", max_drop=drop, calibration=network.calibration(samples), evaluate=network.score, recover=recover,
            input_shapes=network.input_shapes or None, example_inputs=network.example_inputs() if network.example_inputs else None,
            output=Path(folder) / "artifact",
        )  # fmt: skip
        return result.report, prepared(str(result.artifact / MODEL), None, None)


class Judge:
    """Accuracy first, then time beside the dense network."""

    def __init__(self, network: Network, dense: float, floor: float):
        self.network, self.floor = network, floor
        self.target, self.model = load_target("host"), network.prepared()
        self.best = Found("as it is", self.speedup(self.model), dense)  # more than 1 where the network came with zeros

    def fastest(self, ways: Iterable[tuple[Iterable[float], Callable[[float], ir.Model | None], Callable[[float], str]]]) -> Found:
        """ways: levels, ascending; what makes the network of a level, or None; and its name. Of each way the highest level that keeps the accuracy is timed."""
        best = self.best
        for levels, made, named in ways:
            kept = None
            for level in levels:
                model = made(level)
                if model is None or (accuracy := self.network.score(model)) < self.floor:
                    break
                kept = level, model, accuracy
            if kept is not None:
                level, model, accuracy = kept
                best = max(best, Found(named(level), self.speedup(model), accuracy), key=lambda found: found.speedup)
        return best

    def speedup(self, model: ir.Model) -> float:
        """Over the dense network; the middle one of a few measurements, each of both in turns, each with memory of its own: where that lies matters too."""
        with tempfile.TemporaryDirectory() as folder:
            built = build(model, self.target, 1, Path(folder) / "plan.so")
            return median(Host(self.target, 1, self.model).compare(built).speedup for _ in range(MEASUREMENTS))


def by_magnitude(judge: Judge) -> Found:
    """One pattern and level in all layers that fit."""
    layers = find_layers(judge.model)

    def way(pattern: Pattern):
        def made(level: float) -> ir.Model:
            return prune(judge.model, {layer.name: Choice(pattern, level) for layer in layers if pattern.fits(layer)}, None, Magnitude()).model

        return pattern.levels, made, lambda level: Choice(pattern, level).notation

    return judge.fastest(way(pattern) for pattern in GENERAL if pattern.fixed_sparsity != 0 and any(map(pattern.fits, layers)))


def by_tool(judge: Judge, tool: str) -> Found:
    """A rival, in a process with its own packages. A network that it cannot take counts as it is."""
    with tempfile.TemporaryDirectory() as folder:
        source, output = Path(folder) / "model.onnx", Path(folder) / "output.onnx"
        ir.save(judge.model, source)

        def way(mode: str):
            def made(level: float) -> ir.Model | None:
                command = [sys.executable, str(HERE / "rivals.py"), mode, str(source), str(level), str(output)]
                done = subprocess.run(command, env={**os.environ, "PYTHONPATH": str(RIVALS / tool)}, capture_output=True, text=True)
                if done.returncode:
                    print(f"{judge.network.name}: {mode} at {level}: {done.stderr.strip().splitlines()[-1]}", file=sys.stderr, flush=True)
                    return None
                return prepared(str(output), None, None)

            return TOOL_LEVELS, made, lambda level: f"{mode}@{level}"

        return judge.fastest(way(mode) for mode in TOOLS[tool])


def rival(judge: Judge, name: str) -> Found:
    """One of AGAINST."""
    return by_tool(judge, name) if name in TOOLS else by_magnitude(judge)


def row(network: Network, samples: int, drop: str, recover: str | None, against: list[str]) -> Row:
    report, model = ours(network, samples, drop, recover)
    accuracy = report.accuracy
    judge = Judge(network, accuracy.before, accuracy.before - parse_drop(drop) - SAME_SCORE)
    found = {}
    for tool in ("ours", *against):
        found[tool] = Found("per layer", judge.speedup(model), accuracy.after) if tool == "ours" else rival(judge, tool)
        print(f"{network.name}: {tool}: {found[tool]}", file=sys.stderr, flush=True)  # a row takes long, and may be cut off
    return Row(network.name, accuracy.before, accuracy.pruned, found)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", type=names_among(networks()), default=NETWORKS)
    parser.add_argument("--samples", type=int, default=256)
    parser.add_argument("--recover", metavar="10min")
    parser.add_argument("--drop", default="1%")
    parser.add_argument("--json", help="write the rows here too")
    parser.add_argument("--against", nargs="*", choices=AGAINST, default=AGAINST, help="what to find beside ours; nothing after it: ours alone")
    args = parser.parse_args()
    if missing := [tool for tool in args.against if tool in TOOLS and not (RIVALS / tool / "ready").exists()]:
        sys.exit(f"{', '.join(missing)}: run benchmarks/setup_rivals.sh first, or leave them out of --against")
    known, rows = networks(), []
    titles = ["network", "dense", "ours", *(["of it before recovery"] if args.recover else []), *args.against]
    print(f"| {' | '.join(titles)} |\n|{'---|' * len(titles)}", flush=True)
    for name in args.only:
        rows.append(made := row(known[name], args.samples, args.drop, args.recover, args.against))
        cells = [f"{found.speedup:.2f}x, {found.accuracy:.2%}" + ("" if tool == "ours" else f", {found.how}") for tool, found in made.found.items()]
        before = [f"{made.pruned:.2%}"] if args.recover else []
        print(f"| {name} | {made.dense:.2%} | {' | '.join([cells[0], *before, *cells[1:]])} |", flush=True)
        if args.json:
            Path(args.json).write_text(json.dumps([asdict(one) for one in rows], indent=1) + "\n")


if __name__ == "__main__":
    main()
