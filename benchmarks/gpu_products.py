"""Our tensor-core products on this machine's GPU beside cuBLAS dense and torch's 2:4 (cuSPARSELt), checked against float64 and timed in turns.

python benchmarks/gpu_products.py [--target h200] [--dtype fp16] [--seconds 300]: the layers of BERT-base, ViT-B and ResNet-50 at batch 1, 8 and 32.
Needs an NVIDIA GPU, nvcc and a torch built for CUDA; ends with a sentence where one is missing. Prints the card's name, medians in us, and
what the model foretold. Outputs are poisoned with NaN before each check.
"""

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import ml_dtypes
import numpy as np
import onnx_ir as ir
from onnx import TensorProto, helper, numpy_helper

from spcompile.costs.gpu import predict
from spcompile.ir.layers import find_layers, weight, with_weights
from spcompile.kernels.gpu.mma_product import MmaProduct
from spcompile.kernels.gpu.work import Product
from spcompile.lowering.gpu.lower import lower_for_gpu
from spcompile.lowering.gpu.program import GpuProgram
from spcompile.passes import prepare
from spcompile.patterns import parse
from spcompile.runtime.gpu_build import compile_program, write_compiled
from spcompile.runtime.gpu_executor import GpuExecutor, gpu_name, runs_here
from spcompile.runtime.nvcc import available
from spcompile.targets import GPUS, load_target
from spcompile.targets.gpu import Gpu
from spcompile.verdict import Verdict

DTYPES = {"fp16": "float16", "bf16": "bfloat16"}
BATCHES = (1, 8, 32)
ROUNDS, CALLS = 15, 20
LINEAR = {  # network, (rows, columns), positions of one input
    "BERT-base": ([(768, 768), (3072, 768), (768, 3072)], 128),
    "ViT-B": ([(768, 768), (3072, 768), (768, 3072)], 197),
}
POINTWISE = {(256, 64): 3136, (128, 256): 3136, (512, 128): 784, (256, 512): 784, (1024, 256): 196, (512, 1024): 196, (2048, 512): 49}  # ResNet-50
CONVOLUTIONS = ((64, 56), (128, 28), (256, 14), (512, 7))  # 3x3: channels, size


@dataclass(frozen=True)
class Case:
    """One layer; size 0: linear."""

    network: str
    rows: int
    columns: int
    positions: int
    batch: int
    size: int = 0

    @property
    def shape(self) -> tuple[int, ...]:
        return (self.batch, self.columns // 9, self.size, self.size) if self.size else (self.positions * self.batch, self.columns)


def cases() -> list[Case]:
    found = [Case(name, *shape, positions, batch) for name, (shapes, positions) in LINEAR.items() for shape in shapes for batch in BATCHES]
    found += [Case("ResNet-50", *shape, positions, batch) for shape, positions in POINTWISE.items() for batch in BATCHES]
    return found + [Case("ResNet-50 3x3", c, 9 * c, size * size, batch, size) for c, size in CONVOLUTIONS for batch in BATCHES]


def model_of(case: Case, two_of_four: bool) -> ir.Model:
    """The layer alone, random weights."""
    rng = np.random.default_rng()
    taps = (3, 3) if case.size else ()
    values = (rng.standard_normal((case.rows, case.shape[1], *taps)) / case.columns**0.5).astype(np.float32)
    if not case.size:
        values = values.T.copy()
    node = helper.make_node("Conv", ["x", "w"], ["y"], pads=[1, 1, 1, 1]) if case.size else helper.make_node("MatMul", ["x", "w"], ["y"])
    out = (case.batch, case.rows, case.size, case.size) if case.size else (case.shape[0], case.rows)
    info = helper.make_tensor_value_info
    ends = [info("x", TensorProto.FLOAT, case.shape)], [info("y", TensorProto.FLOAT, out)]
    graph = helper.make_graph([node], "layer", *ends, [numpy_helper.from_array(values, "w")])
    model = prepare(ir.from_proto(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)))
    layer = find_layers(model)[0]
    matrix = weight(model, layer)
    return with_weights(model, {layer.name: np.where(parse("2:4").mask(np.abs(matrix), 0.5), matrix, 0)}) if two_of_four else model


def product_alone(model: ir.Model, gpu: Gpu, dtype: str, two_of_four: bool) -> GpuProgram:
    """The program without the launches that bring fp32 inputs in and out: what is timed. 2:4 even where it is not predicted to pay."""
    if two_of_four:
        gpu = replace(gpu, sparse_flops=2 * gpu.peak_flops, dense_flops=gpu.peak_flops / 1e3)
    whole, _ = lower_for_gpu(model, gpu, dtype)
    return replace(whole, steps=tuple(step for step in whole.steps if isinstance(step.kernel, MmaProduct)))


def ours(case: Case, gpu: Gpu, dtype: str, two_of_four: bool, folder: Path) -> tuple[Callable[[], object], float]:
    """-> (launches the product, worst relative difference of the whole layer from float64)."""
    model = model_of(case, two_of_four)
    whole, _ = lower_for_gpu(model, gpu if not two_of_four else replace(gpu, sparse_flops=2 * gpu.peak_flops, dense_flops=gpu.peak_flops / 1e3), dtype)
    feed = {"x": np.random.default_rng().standard_normal(case.shape).astype(np.float32)}
    executors = []
    for name, program in (("whole", whole), ("alone", product_alone(model, gpu, dtype, two_of_four))):
        place = folder / f"{name}{two_of_four}{len(list(folder.iterdir()))}"
        place.mkdir()
        write_compiled(compile_program(program, gpu), place, "library.so")
        executors.append(GpuExecutor(program, place / "library.so"))
    return executors[1].bind(feed), difference(executors[0].run(feed)["y"], model, feed["x"], case, dtype)


def difference(found: np.ndarray, model: ir.Model, x: np.ndarray, case: Case, dtype: str) -> float:
    half = np.float16 if dtype == "float16" else ml_dtypes.bfloat16
    layer = find_layers(model)[0]
    matrix, x = weight(model, layer).astype(half).astype(np.float64), x.astype(half).astype(np.float64)
    if case.size:
        import torch

        kernel = torch.from_numpy(np.ascontiguousarray(layer.from_matrix(matrix)))
        expected = torch.nn.functional.conv2d(torch.from_numpy(x), kernel, padding=1).numpy()
    else:
        expected = x @ matrix.T
    return float(np.abs(found - expected).max() / np.abs(expected).max())


def rivals(case: Case, dtype: str) -> dict[str, Callable[[], object]]:
    """cuBLAS dense on the product's shape; torch's 2:4 on it where torch takes it."""
    import torch
    from torch.sparse import to_sparse_semi_structured

    kind = {"float16": torch.float16, "bfloat16": torch.bfloat16}[dtype]
    positions = case.positions * case.batch
    weights, x = torch.randn(case.rows, case.columns, dtype=kind, device="cuda"), torch.randn(positions, case.columns, dtype=kind, device="cuda")
    calls: dict[str, Callable[[], object]] = {"cuBLAS": lambda: torch.nn.functional.linear(x, weights)}
    if case.rows % 32 == 0 and case.columns % 64 == 0 and positions % 8 == 0:
        mask = torch.tensor([0, 0, 1, 1], device="cuda", dtype=torch.bool).tile(case.rows, case.columns // 4)
        sparse = to_sparse_semi_structured(weights * mask)
        calls["cuSPARSELt"] = lambda: torch.nn.functional.linear(x, sparse)
    return calls


def in_turns(calls: dict[str, Callable[[], object]], wait: Callable[[], object]) -> dict[str, float]:
    """Median seconds of one call, each the mean of CALLS, all taken in turns after one round that is not counted."""
    times: dict[str, list[float]] = {name: [] for name in calls}
    for turn in range(ROUNDS + 1):
        for name, call in calls.items():
            wait()
            start = time.perf_counter()
            for _ in range(CALLS):
                call()
            wait()
            if turn:
                times[name].append((time.perf_counter() - start) / CALLS)
    return {name: statistics.median(taken) for name, taken in times.items()}


def ready(gpu: Gpu) -> Verdict:
    import torch

    if not torch.cuda.is_available():
        return Verdict.no("torch sees no CUDA device")
    return runs_here(gpu) and available()


def report(case: Case, gpu: Gpu, dtype: str, folder: Path) -> None:
    import torch

    calls, wrong = rivals(case, dtype), {}
    for name, two_of_four in (("dense", False), ("2:4", True)):
        calls[name], wrong[name] = ours(case, gpu, dtype, two_of_four, folder)
    times = in_turns(calls, torch.cuda.synchronize)
    foretold = {kind: predict(Product(case.rows, case.positions * case.batch, case.columns, kind == "2:4"), gpu).expected_s for kind in ("dense", "2:4")}
    cells = "  ".join(f"{name} {seconds * 1e6:8.1f}" for name, seconds in times.items())
    told = "  ".join(f"{name} {seconds * 1e6:8.1f}" for name, seconds in foretold.items())
    shape = f"{case.rows:5}x{case.columns:<5}@{case.positions * case.batch:<6}"
    print(f"{case.network:14} batch {case.batch:2} {shape} us: {cells}   foretold: {told}   worst {max(wrong.values()):.1e}", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--target", default="h200", choices=GPUS)
    parser.add_argument("--dtype", default="fp16", choices=DTYPES)
    parser.add_argument("--seconds", type=float, default=300.0, help="stop after the shape that passes this")
    args = parser.parse_args()
    gpu = load_target(args.target)
    if not (verdict := ready(gpu)):
        print(f"nothing is measured: {verdict.reason}", file=sys.stderr)
        return 1
    print(f"{gpu_name()}, {args.dtype}, medians of {ROUNDS} x {CALLS} calls in turns")
    end = time.monotonic() + args.seconds
    with tempfile.TemporaryDirectory() as folder:
        for case in cases():
            report(case, gpu, DTYPES[args.dtype], Path(folder))
            if time.monotonic() > end:
                print("time is up")
                break
    return 0


if __name__ == "__main__":
    sys.exit(main())
