"""Our tensor-core products on this machine's GPU beside cuBLAS or cuDNN dense and torch's 2:4 (cuSPARSELt), checked against float64 and timed in turns.

python benchmarks/gpu_products.py --build build/gpu [--target h200] [--dtype fp16]     nvcc and TVM, no GPU: a cubin a form of each
python benchmarks/gpu_products.py --run build/gpu [--target h200] [--dtype fp16]       with a GPU, CuPy and a torch for CUDA; neither nvcc nor TVM

The layers of BERT-base, ViT-B and ResNet-50 at batch 1, 8 and 32, layers 4096 wide with blocks and vectors, and whole networks. Workspace and outputs
begin as NaN for the check, inputs are fresh. Each is timed as a CUDA graph of 20 calls between events, medians of 15 turns; caches are warm for
all alike. Prints the card's name, us, and what the model foretold; exit code 1 when a result is wrong.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
from gpu_cases import NETWORKS, PRODUCTS, Case, cases, file_name, network, programs

from spcompile.costs.gpu import WHOLE, predict
from spcompile.ir.layers import find_layers, weight
from spcompile.lowering.gpu.lower import lower_for_gpu
from spcompile.targets import load_target
from spcompile.targets.gpu import Gpu

DTYPES = {"fp16": "float16", "bf16": "bfloat16"}
LIMITS = {"float16": 2e-3, "bfloat16": 1.6e-2}  # of a layer's largest output
NETWORK_LIMITS = {"float16": 2e-2, "bfloat16": 1e-1}
ROUNDS, CALLS = 15, 20


def build(folder: Path, gpu: Gpu, dtype: str, only: str) -> None:
    from spcompile.runtime.gpu_build import compile_program

    folder.mkdir(parents=True, exist_ok=True)
    for name, program in programs(gpu, dtype, only):
        if not (folder / name).exists():
            (folder / name).write_bytes(compile_program(program, gpu).cubin)


class Bench:
    """Everything that needs the card."""

    def __init__(self, folder: Path, gpu: Gpu, dtype: str):
        import cupy
        import torch

        self.folder, self.gpu, self.dtype, self.cupy, self.torch = folder, gpu, dtype, cupy, torch
        self.half, self.wrong = getattr(torch, dtype), False

    def launched(self, program, name: str):
        from gpu_launch import Launched

        return Launched(program, self.folder / name)

    def layer(self, case: Case) -> str:
        """One line: times, what was foretold, and the worst difference."""
        times, foretold, worst = self.rivals(case), {}, 0.0
        for form in case.forms:
            program = case.program(form, self.gpu, self.dtype)
            ours = self.launched(program, file_name(case, form, self.dtype))
            x = np.random.default_rng().standard_normal(case.shape).astype(np.float32)
            worst = max(worst, self.judged(self.difference(ours.run({"x": x})[0], case, form, x), LIMITS))
            times[form] = self.graph(lambda ours=ours: ours.launch(PRODUCTS))
            works = [step.kernel.work() for step in program.steps if isinstance(step.kernel, PRODUCTS)]
            foretold[form] = sum(predict(work, self.gpu, splits=WHOLE).expected_s for work in works)
        shape = f"{case.rows}x{case.columns} at {case.positions * case.batch}"
        return f"{case.network}, batch {case.batch}, {shape}: {_in_us(self.in_turns(times))}; foretold {_in_us(foretold)}; worst {worst:.1e}"

    def judged(self, difference: float, limits: dict[str, float]) -> float:
        """NaN never passes."""
        if not difference <= limits[self.dtype]:
            self.wrong = True
            return float("inf")
        return difference

    def difference(self, found: np.ndarray, case: Case, form: str, x: np.ndarray) -> float:
        """Largest, against float64 of the rounded weights and inputs, by the largest result."""
        torch, model = self.torch, case.model(form)
        (layer,) = find_layers(model)
        rounded = torch.from_numpy(np.ascontiguousarray(layer.from_matrix(weight(model, layer)))), torch.from_numpy(x)
        kernel, inputs = (array.to("cuda", self.half).double() for array in rounded)
        expected = torch.nn.functional.conv2d(inputs, kernel, padding=1) if case.size else inputs @ kernel
        return float((torch.from_numpy(found).cuda().double() - expected).abs().max() / expected.abs().max())

    def rivals(self, case: Case) -> dict[str, object]:
        """The libraries' graphs, on random data of their own."""
        torch = self.torch
        functional, positions = torch.nn.functional, case.positions * case.batch
        weights, x = (torch.randn(*shape, dtype=self.half, device="cuda") for shape in ((case.rows, case.columns), (positions, case.columns)))
        found = {"cuBLAS": self.graph(lambda: functional.linear(x, weights))}
        if case.size:
            images = torch.randn(*case.shape, dtype=self.half, device="cuda").to(memory_format=torch.channels_last)
            kernel = torch.randn(case.rows, case.columns // 9, 3, 3, dtype=self.half, device="cuda").to(memory_format=torch.channels_last)
            found["cuDNN"] = self.graph(lambda: functional.conv2d(images, kernel, padding=1))
        mask = torch.tensor([0, 0, 1, 1], device="cuda", dtype=torch.bool).tile(case.rows, case.columns // 4)
        try:
            sparse = torch.sparse.to_sparse_semi_structured(weights * mask)
            found[type(sparse).__name__.removeprefix("SparseSemiStructuredTensor")] = self.graph(lambda: functional.linear(x, sparse))
        except (RuntimeError, NotImplementedError, ValueError) as error:
            print(f"torch's 2:4 does not take {case.rows}x{case.columns} at {positions}: {str(error).splitlines()[0][:100]}")
        return found

    def graph(self, call: Callable[[], object]):
        """CALLS calls as one CUDA graph."""
        torch, cupy = self.torch, self.cupy
        graph, side = torch.cuda.CUDAGraph(), torch.cuda.Stream()
        with torch.cuda.stream(side), cupy.cuda.ExternalStream(side.cuda_stream):
            call()  # libraries set themselves up in a first call, which cannot be captured
        torch.cuda.synchronize()
        with torch.cuda.graph(graph, stream=side), cupy.cuda.ExternalStream(side.cuda_stream):
            for _ in range(CALLS):
                call()
        return graph

    def in_turns(self, graphs: dict[str, object]) -> dict[str, float]:
        """Median seconds of one call."""
        torch, times = self.torch, {name: [] for name in graphs}
        for turn in range(ROUNDS + 1):
            for name, graph in graphs.items():
                start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
                start.record()
                graph.replay()
                end.record()
                end.synchronize()
                if turn:
                    times[name].append(start.elapsed_time(end) / 1e3 / CALLS)
        return {name: statistics.median(taken) for name, taken in times.items()}

    def network(self, name: str) -> str:
        """Dense and 2:4 wherever it is foretold to pay, checked against ONNX Runtime in fp32."""
        from spcompile.ir.session import run

        graphs, foretold, worst = {}, {}, 0.0
        for form in ("dense", "2:4"):
            model = network(name, form)
            program, _ = lower_for_gpu(model, self.gpu, self.dtype)
            ours, rng = self.launched(program, file_name(name, form, self.dtype)), np.random.default_rng()
            whole = {tensor.name: tensor.dtype.startswith("int") for tensor in program.inputs}
            feed = {t.name: rng.integers(0, 1000, t.shape) if whole[t.name] else rng.standard_normal(t.shape).astype(np.float32) for t in program.inputs}
            (expected,) = run(model, feed).values()
            worst = max(worst, self.judged(float(np.abs(ours.run(feed)[0] - expected).max() / np.abs(expected).max()), NETWORK_LIMITS))
            graphs[form] = self.graph(ours.launch)
            foretold[form] = sum(predict(step.kernel.work(), self.gpu, float(program.bytes), splits=WHOLE).expected_s for step in program.steps)
        return f"{name}: {_in_us(self.in_turns(graphs))}; foretold {_in_us(foretold)}; worst {worst:.1e}"


def _in_us(times: dict[str, float]) -> str:
    return ", ".join(f"{name} {seconds * 1e6:.1f}" for name, seconds in times.items())


def measure(folder: Path, gpu: Gpu, dtype: str, seconds: float, only: str) -> int:
    try:
        bench = Bench(folder, gpu, dtype)
    except ImportError as error:
        sys.exit(f"nothing is measured: {error}; --run takes CuPy and a torch for CUDA")
    if not bench.torch.cuda.is_available():
        sys.exit("nothing is measured: torch sees no CUDA device")
    print(f"{bench.torch.cuda.get_device_name()}, {dtype}, us of a call, medians of {ROUNDS} x {CALLS} in turns")
    ends = time.monotonic() + seconds
    work = [(bench.network, name) for name in NETWORKS if only in name] + [(bench.layer, case) for case in cases() if only in case.network]
    for at, (what, of) in enumerate(work):
        print(what(of), flush=True)
        if time.monotonic() > ends:
            print(f"time is up: {len(work) - at - 1} are left")
            break
    return 1 if bench.wrong else 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=Path, metavar="FOLDER")
    parser.add_argument("--run", type=Path, metavar="FOLDER")
    parser.add_argument("--target", default="h200", metavar="NAME|FILE.toml", help="a GPU (default h200); as --build had it")
    parser.add_argument("--dtype", default="fp16", choices=DTYPES)
    parser.add_argument("--only", default="", metavar="TEXT", help="networks whose names have it in them, such as 4096")
    parser.add_argument("--seconds", type=float, default=400.0, help="stop after the layer that passes this")
    args = parser.parse_args()
    gpu, dtype = load_target(args.target), DTYPES[args.dtype]
    if args.build:
        build(args.build, gpu, dtype, args.only)
    return measure(args.run, gpu, dtype, args.seconds, args.only) if args.run else 0


if __name__ == "__main__":
    sys.exit(main())
