"""Whole networks beside other engines on this host: pattern and level imposed (magnitude masks), times taken in turns, of the fastest rounds.

    python benchmarks/engines.py [--only resnet50_random] [--choices dense,block4x1@0.9,unstructured@0.9] [--threads 1] [--batch 8] [--json FILE]

Other engines, each in a process and environment of its own (setup_engines.sh), run the dense network: ONNX Runtime always, OpenVINO where it is
installed; DeepSparse, where it is installed, the pruned ones. No accuracy is claimed here.

--clock cpu counts the processor time of each engine's process instead of the time that passes: on one thread the same, but for other work on the machine.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
import numpy as np
import onnx
import onnx.version_converter
import onnx_ir as ir
from batches import with_batch
from engine_worker import CLOCKS
from networks import Network, names_among, networks

from spcompile.compiler.building import build
from spcompile.ir.layers import find_layers
from spcompile.patterns import Choice, parse_choice
from spcompile.pruning import Magnitude, prune
from spcompile.runtime.executor import Executor
from spcompile.runtime.host import cpu_model
from spcompile.runtime.measure import MIN_ROUNDS, SAMPLE_S, Sample
from spcompile.runtime.verify import inputs_for
from spcompile.targets import load_target

DENSE_ENGINES = ("onnxruntime", "openvino")
ENVIRONMENTS = Path(__file__).parents[1] / "build" / "engines"
WORKER = Path(__file__).parent / "engine_worker.py"
DEEPSPARSE_OPSET, DEEPSPARSE_IR = 13, 8  # the newest that DeepSparse 1.8 reads


class Worker:
    """Another engine in its own process and environment; `call(n)` gives the seconds of n calls there."""

    def __init__(self, engine: str, model: Path, inputs: Path, threads: int, clock: str):
        python = ENVIRONMENTS / engine / "bin" / "python"
        environment = {**os.environ, "NM_DISABLE_ANALYTICS": "True", "NM_BIND_THREADS_TO_CORES": "0", "OMP_NUM_THREADS": str(threads)}
        command = [str(python if python.exists() else sys.executable), str(WORKER), engine, str(model), str(inputs), str(threads), clock]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment)
        while (line := self._process.stdout.readline()) and line.strip() != "ready":
            pass
        if not line:
            raise RuntimeError(f"{engine} cannot run {model.name}")

    def __call__(self, times: int) -> float:
        self._process.stdin.write(f"{times}\n")
        self._process.stdin.flush()
        return float(self._process.stdout.readline())

    def close(self) -> None:
        self._process.kill()
        self._process.wait()


def imposed(model: ir.Model, choice: Choice) -> ir.Model:
    """Every layer that the choice fits is given it, by magnitude."""
    if choice.sparsity == 0:
        return model
    return prune(model, {layer.name: choice for layer in find_layers(model) if choice.pattern.fits(layer)}, None, Magnitude()).model


def other_engines(model: ir.Model, feed: dict[str, np.ndarray], threads: int, clock: str, sparse: dict[str, ir.Model], folder: Path) -> dict[str, Worker]:
    """Dense: ONNX Runtime, and OpenVINO where it is installed. DeepSparse, where it is installed, on the same sparse networks as ours."""
    np.savez(folder / "inputs.npz", **feed)
    asked = {"onnxruntime": ("onnxruntime", model)}
    if (ENVIRONMENTS / "openvino").exists():
        asked["openvino"] = ("openvino", model)
    if (ENVIRONMENTS / "deepsparse").exists():
        asked |= {f"deepsparse {name}": ("deepsparse", network) for name, network in sparse.items() if name.startswith(("dense", "unstructured"))}
    found = {}
    for number, (name, (engine, network)) in enumerate(asked.items()):
        path = folder / f"other_{number}.onnx"
        proto = ir.to_proto(network)
        try:
            onnx.save(_for_deepsparse(proto) if engine == "deepsparse" else proto, path)
            found[name] = Worker(engine, path, folder / "inputs.npz", threads, clock)
        except (RuntimeError, onnx.version_converter.ConvertError) as refusal:
            print(f"  {name}: {refusal}", file=sys.stderr)
    return found


def _for_deepsparse(proto: onnx.ModelProto) -> onnx.ModelProto:
    """Down to opset 14 by ONNX's own converter; 13 differs from it in no operator of these networks but by the types allowed."""
    converted = onnx.version_converter.convert_version(proto, DEEPSPARSE_OPSET + 1)
    converted.ir_version, converted.opset_import[0].version = DEEPSPARSE_IR, DEEPSPARSE_OPSET
    return converted


def timed(calls: dict[str, Callable[[int], float]], seconds: float) -> dict[str, Sample]:
    """Like `spcompile.runtime.measure`, for calls that repeat themselves and tell their own seconds."""
    repeats = {name: max(1, round(SAMPLE_S / max(call(3) / 3, 1e-7))) for name, call in calls.items()}
    rounds: dict[str, list[float]] = {name: [] for name in calls}
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(rounds[next(iter(calls))]) < MIN_ROUNDS:
        for name, call in calls.items():
            call(1)
            rounds[name].append(call(repeats[name]) / repeats[name])
    return {name: Sample(tuple(times)) for name, times in rounds.items()}


def repeated(call: Callable[[], object], clock: str) -> Callable[[int], float]:
    now = CLOCKS[clock]

    def run(times: int) -> float:
        begin = now()
        for _ in range(times):
            call()
        return now() - begin

    return run


def compare(network: Network, choices: list[Choice], threads: int, clock: str, seconds: float, batch: int) -> dict[str, Sample]:
    """-> sample by engine or choice."""
    target = load_target("host")
    model = with_batch(network.prepared(), batch)
    pruned = {choice.notation: imposed(model, choice) for choice in choices}
    calls: dict[str, Callable[[int], float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for number, (name, network_pruned) in enumerate(pruned.items()):
            built = build(network_pruned, target, threads, Path(folder) / f"{number}.so")
            feed = inputs_for(built.program, None, 0)[0]
            calls[name] = repeated(Executor.of_program(built.program, built.library, threads).bind(feed), clock)
        workers = other_engines(model, feed, threads, clock, pruned, Path(folder))
        samples = timed({**calls, **workers}, seconds)
        for worker in workers.values():
            worker.close()
        return samples


def parser_of(description: str, choices: str, threads: int, seconds: float) -> argparse.ArgumentParser:
    """What benchmarks ask that impose choices on networks; with these defaults."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", type=names_among(networks()), default=list(networks()), help="names, by commas; default all")
    parser.add_argument("--choices", default=choices)
    parser.add_argument("--threads", type=int, default=threads)
    parser.add_argument("--seconds", type=float, default=seconds, help="of timing, a network")
    parser.add_argument("--json", help="write the figures here too")
    return parser


def main() -> None:
    parser = parser_of(__doc__, "dense,block4x1@0.5,block4x1@0.8,block4x1@0.9,unstructured@0.8,unstructured@0.9", threads=1, seconds=20.0)
    parser.add_argument("--batch", type=int, default=1, help="inputs in one call")
    parser.add_argument("--clock", choices=CLOCKS, default="wall")
    args = parser.parse_args()
    known, results = networks(), {}
    choices = [parse_choice(text) for text in args.choices.split(",")]
    setting = {"cpu": cpu_model(), "threads": args.threads, "batch": args.batch, "clock": args.clock}
    print(f"{setting}; fastest rounds in ms, in brackets times faster than the fastest dense engine")
    for name in args.only:
        samples = compare(known[name], choices, args.threads, args.clock, args.seconds, args.batch)
        best = min((samples[engine] for engine in DENSE_ENGINES if engine in samples), key=lambda sample: sample.fastest_s)
        results[name] = {
            key: {"fastest_s": sample.fastest_s, "quartiles_s": sample.quartiles_s, "times_faster": best.over(sample)} for key, sample in samples.items()
        }
        print(name, ", ".join(f"{key} {sample.fastest_s * 1e3:.3f} ({best.over(sample):.2f}x)" for key, sample in samples.items()), flush=True)
    for key in ("openvino", *(choice.notation for choice in choices)):
        ratios = [found[key]["times_faster"] for found in results.values() if key in found]
        if ratios:
            print(f"{key}: geometric mean {np.exp(np.mean(np.log(ratios))):.2f}x over {len(ratios)} networks, least {min(ratios):.2f}x")
    if args.json:
        Path(args.json).write_text(json.dumps(setting | {"networks": results}, indent=1) + "\n")


if __name__ == "__main__":
    main()
