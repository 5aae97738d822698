"""Whole networks beside other engines on this host: pattern and level imposed (magnitude masks), times taken in turns, medians.

    python benchmarks/engines.py [--only resnet50_random] [--choices dense,block4x1@0.9,unstructured@0.9] [--threads 1] [--json FILE]

Other engines run the dense network: ONNX Runtime always, OpenVINO where it is installed. No accuracy is claimed here.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
import numpy as np
import onnx_ir as ir
from networks import Network, networks

from spcompile.compiler.building import build
from spcompile.compiler.inputs import prepared
from spcompile.ir.layers import find_layers
from spcompile.patterns import Choice, parse_choice
from spcompile.pruning import Magnitude, prune
from spcompile.runtime.executor import Executor
from spcompile.runtime.host import cpu_model
from spcompile.runtime.measure import measure
from spcompile.runtime.verify import inputs_for
from spcompile.targets import load_target

Call = Callable[[], object]


def onnxruntime_call(model: ir.Model, feed: dict[str, np.ndarray], threads: int) -> Call:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    session = onnxruntime.InferenceSession(ir.to_proto(model).SerializeToString(), options, providers=["CPUExecutionProvider"])
    return lambda: session.run(None, feed)


def openvino_call(model: ir.Model, feed: dict[str, np.ndarray], threads: int) -> Call | None:
    try:
        import openvino
    except ImportError:
        return None
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        ir.save(model, str(path))
        options = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_NUM_THREADS": threads, "NUM_STREAMS": 1, "INFERENCE_PRECISION_HINT": "f32"}
        request = openvino.Core().compile_model(str(path), "CPU", options).create_infer_request()
    tensors = list(feed.values())
    return lambda: request.infer(tensors)


def imposed(model: ir.Model, choice: Choice) -> ir.Model:
    """Every layer that the choice fits is given it, by magnitude."""
    if choice.sparsity == 0:
        return model
    return prune(model, {layer.name: choice for layer in find_layers(model) if choice.pattern.fits(layer)}, None, Magnitude()).model


def compare(network: Network, choices: list[Choice], threads: int, seconds: float) -> dict[str, float]:
    """-> median seconds by engine or choice."""
    target = load_target("host")
    model = prepared(network.source(), network.input_shapes or None, network.example_inputs() if network.example_inputs else None)
    calls: dict[str, Call] = {}
    with tempfile.TemporaryDirectory() as folder:
        for number, choice in enumerate(choices):
            built = build(imposed(model, choice), target, threads, Path(folder) / f"{number}.so")
            executor = Executor.of_program(built.program, built.library, threads)
            feed = inputs_for(built.program, None, 0)[0]
            calls[choice.notation] = executor.bind(feed)
        calls["onnxruntime"] = onnxruntime_call(model, feed, threads)
        if (other := openvino_call(model, feed, threads)) is not None:
            calls["openvino"] = other
        return {name: sample.median_s for name, sample in measure(calls, seconds).items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", help="names, by commas")
    parser.add_argument("--choices", default="dense,block4x1@0.5,block4x1@0.8,block4x1@0.9,unstructured@0.8,unstructured@0.9")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=20.0, help="of timing, a network")
    parser.add_argument("--json", help="write the figures here too")
    args = parser.parse_args()
    known, results = networks(), {}
    choices = [parse_choice(text) for text in args.choices.split(",")]
    print(f"{cpu_model()}, {args.threads} thread(s); times in ms, in brackets how many times faster than the fastest other engine")
    for name in args.only.split(",") if args.only else known:
        medians = results[name] = compare(known[name], choices, args.threads, args.seconds)
        best = min(medians[engine] for engine in ("onnxruntime", "openvino") if engine in medians)
        print(name, ", ".join(f"{key} {value * 1e3:.3f} ({best / value:.2f}x)" for key, value in medians.items()), flush=True)
    if args.json:
        Path(args.json).write_text(json.dumps({"cpu": cpu_model(), "threads": args.threads, "median_s": results}, indent=1) + "\n")


if __name__ == "__main__":
    main()
