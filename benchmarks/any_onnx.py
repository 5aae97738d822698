"""Any ONNX file beside ONNX Runtime: dense, and with one pattern and level imposed on every layer it fits. One thread, timed in turns, fastest rounds.

    python benchmarks/any_onnx.py MODEL.onnx [--input-shape x=1,3,320,320]... [--choices dense,block4x1@0.8] [--seconds 6]

Inputs are random. Pattern and level are imposed by magnitude: no accuracy is claimed.
"""

import argparse
import tempfile
from pathlib import Path

import onnxruntime
from engines import imposed

from spcompile.cli.arguments import input_shape
from spcompile.compiler.building import build
from spcompile.compiler.inputs import prepared
from spcompile.lowering.program import Program
from spcompile.patterns import parse_choice
from spcompile.runtime.host import cpu_model
from spcompile.runtime.measure import measure
from spcompile.runtime.verify import inputs_for
from spcompile.targets import load_target


def onnxruntime_call(path: str, program: Program):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    feed = inputs_for(program, None, 0)[0]
    return lambda: session.run(None, feed)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--input-shape", type=input_shape, action="append", default=[], dest="input_shapes")
    parser.add_argument("--choices", default="dense,block4x1@0.8")
    parser.add_argument("--seconds", type=float, default=6.0)
    args = parser.parse_args()
    model, target = prepared(args.model, dict(args.input_shapes) or None, None), load_target("host")
    with tempfile.TemporaryDirectory() as folder:
        built = {text: build(imposed(model, parse_choice(text)), target, 1, Path(folder) / f"{text}.so") for text in args.choices.split(",")}
        calls = {text: one.call() for text, one in built.items()}
        found = measure({"ONNX Runtime": onnxruntime_call(args.model, next(iter(built.values())).program), **calls}, args.seconds)
    before = found.pop("ONNX Runtime").fastest_s
    ours = ", ".join(f"{name} {sample.fastest_s * 1e3:.4g} ({before / sample.fastest_s:.2f}x)" for name, sample in found.items())
    print(f"{cpu_model()}, {Path(args.model).name}: ONNX Runtime {before * 1e3:.4g} ms, {ours}")


if __name__ == "__main__":
    main()
