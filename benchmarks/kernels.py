"""Useful GFLOP/s of single products at ResNet-50's shapes, beside the machine's peak in the same run; and a linear layer on one position beside read bandwidth.

    python benchmarks/kernels.py [--choices dense,block4x1@0.5,...] [--rounds 30] [--measure] [--json FILE]

Useful work: two operations for each weight kept and each pixel of the result; border columns and zeros inside blocks count nothing. The peak is a loop of
multiply-adds in registers, or the fastest dense product where one is faster still; the machine's read bandwidth a loop that adds up 256 MiB, and
beside it one that adds up as many bytes as the layer keeps, from whichever cache holds them.
One thread; everything of a shape is timed in turns, each call after one that is not timed; the fastest of all rounds, by the thread's own processor time.
"""

import argparse
import ctypes
import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
import numpy as np
import onnx
import onnx_ir as ir
from one_layer import Shape, layer_step
from onnx import TensorProto, helper

from spcompile import passes
from spcompile.compiler.tuning import tune
from spcompile.ir.layers import find_layers, weight, with_weights
from spcompile.kernels.script import kernel_function, registers
from spcompile.lowering.lower import lower
from spcompile.lowering.tuning_store import user_store
from spcompile.patterns import Choice, parse_choice
from spcompile.progress import Silent
from spcompile.runtime.build import C_FUNCTION, compile_module
from spcompile.runtime.host import cpu_model
from spcompile.runtime.link import shared_library
from spcompile.runtime.on_host import ProgramOnHost, aligned
from spcompile.targets import load_target
from spcompile.targets.target import Target

SHAPES = {  # and how many of ResNet-50's layers each is
    Shape(64, 64, 56, 1): 1, Shape(64, 64, 56, 3): 3, Shape(64, 256, 56, 1): 4, Shape(256, 64, 56, 1): 2,
    Shape(256, 128, 56, 1): 1, Shape(128, 128, 56, 3, 2): 1, Shape(256, 512, 56, 1, 2): 1, Shape(128, 128, 28, 3): 3, Shape(128, 512, 28, 1): 4,
    Shape(512, 128, 28, 1): 3, Shape(512, 256, 28, 1): 1, Shape(256, 256, 28, 3, 2): 1, Shape(512, 1024, 28, 1, 2): 1, Shape(256, 256, 14, 3): 5,
    Shape(256, 1024, 14, 1): 6, Shape(1024, 256, 14, 1): 5, Shape(1024, 512, 14, 1): 1, Shape(512, 512, 14, 3, 2): 1, Shape(1024, 2048, 14, 1, 2): 1,
    Shape(512, 512, 7, 3): 2, Shape(512, 2048, 7, 1): 3, Shape(2048, 512, 7, 1): 2,
}  # fmt: skip
LINEAR = ((2048, 1000), (1536, 384), (4096, 4096), (4096, 11008))  # columns, rows: ResNet-50's, MiniLM's second, of a language model of 7 G weights
MEMORY_BYTES = 1 << 28  # more than any cache holds
CHAINS, STEPS = 24, 2048  # independent registers of multiply-adds in the peak's loop, rounds of it


def fastest_s(calls: dict[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Of each call, repeated so often that the clock's own time does not count."""
    best, repeats = dict.fromkeys(calls, np.inf), {}
    for name, call in calls.items():
        call()
        begin = time.perf_counter()
        call()
        repeats[name] = max(1, round(2e-3 / (time.perf_counter() - begin)))
    for _ in range(rounds):
        for name, call in calls.items():
            call()
            begin = time.thread_time()
            for _ in range(repeats[name]):
                call()
            best[name] = min(best[name], (time.thread_time() - begin) / repeats[name])
    return best


class Limits:
    """What this core can do: `peak` and `read(bytes)` are calls to be timed."""

    def __init__(self, target: Target):
        self._lanes = target.lanes_fp32
        with tempfile.TemporaryDirectory() as folder:
            objects, path = Path(folder) / "limits.o", Path(folder) / "limits.so"
            functions = {"peak": self._peak(), "read": self._read()}
            compile_module(_plain_c(functions), target).mod.write_to_file(str(objects))
            shared_library(path, [objects], target.triple)
            self._library = ctypes.CDLL(str(path))
        self._data = aligned(np.full(CHAINS * self._lanes, 0.5, np.float32))

    @property
    def peak_flop(self) -> float:
        return 2.0 * CHAINS * self._lanes * STEPS

    def peak(self) -> int:
        return self._library.peak(ctypes.c_void_p(self._data.ctypes.data))

    def read(self, bytes_read: int) -> Callable[[], int]:
        blocks = -(-bytes_read // (4 * CHAINS * self._lanes))
        memory, count = aligned(np.ones(blocks * CHAINS * self._lanes, np.float32)), aligned(np.array([blocks], np.int32))
        return lambda: self._library.read(*(ctypes.c_void_p(array.ctypes.data) for array in (memory, count, self._data)))

    def _peak(self):
        from tvm.tirx.script.builder import ir as T

        def body(data):
            acc = registers(CHAINS * self._lanes)
            self._each(lambda at: T.buffer_store(acc, data[at], [at]))
            with T.serial(0, STEPS):
                self._each(lambda at: T.buffer_store(acc, acc[at] * data[0] + data[1], [at]))
            self._each(lambda at: T.buffer_store(data, acc[at], [at]))

        return kernel_function("peak", {"data": "float32"}, body)

    def _read(self):
        from tvm.tirx.script.builder import ir as T

        def body(memory, count, data):
            acc = registers(CHAINS * self._lanes)
            self._each(lambda at: T.buffer_store(acc, T.float32(0), [at]))
            with T.serial(0, count[0]) as block:
                self._each(lambda at: T.buffer_store(acc, acc[at] + memory[block * CHAINS * self._lanes + at], [at]))
            self._each(lambda at: T.buffer_store(data, acc[at], [at]))

        return kernel_function("read", {"memory": "float32", "count": "int32", "data": "float32"}, body)

    def _each(self, statement: Callable) -> None:
        from tvm.tirx.script.builder import ir as T

        for register in range(CHAINS):
            with T.vectorized(0, self._lanes) as i:
                statement(register * self._lanes + i)


def _plain_c(functions: dict):
    import tvm

    return tvm.IRModule({name: function.with_attr("global_symbol", name).with_attr("calling_conv", C_FUNCTION) for name, function in functions.items()})


def linear(columns: int, rows: int, choice: Choice, random: np.random.Generator) -> ir.Model:
    """A network of one product with one position, pruned at random."""
    node = helper.make_node("Gemm", ["x", "w"], ["y"], name="layer", transB=1)
    matrix = random.standard_normal((rows, columns), np.float32)
    tensors = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, size]) for name, size in (("x", columns), ("y", rows))]
    graph = helper.make_graph([node], "one", tensors[:1], tensors[1:], [onnx.numpy_helper.from_array(matrix, "w")])
    model = passes.prepare(ir.from_proto(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)))
    (layer,) = find_layers(model)
    matrix = layer.to_matrix(weight(model, layer))
    return with_weights(model, {layer.name: matrix * choice.pattern.mask(random.random(matrix.shape), choice.sparsity)}) if choice.sparsity else model


class LayerOnHost:
    """`call`: the only layer's kernel on its own data. `kept` weights, in `bytes` of values and offsets."""

    def __init__(self, model: ir.Model, target: Target):
        (layer,), program = find_layers(model), lower(model, target).program
        self.kept, self.bytes = int(np.count_nonzero(weight(model, layer))), program.values.nbytes + program.indices.nbytes
        self._loaded = ProgramOnHost(program, target, 1)  # the call's memory
        self.call = self._loaded.call(layer_step(program))


def convolutions(choices: list[Choice], target: Target, limits: Limits, rounds: int, refined: bool) -> list[dict]:
    """refined: kernels by the tuning store, filled here where it does not know a shape."""
    found, random = [], np.random.default_rng(0)
    for shape, layers in SHAPES.items():
        models = {choice.notation: shape.model(choice, random) for choice in choices}
        for model in models.values() if refined else ():
            tune(model, target, 1, user_store(), Silent())
        measured = {notation: LayerOnHost(model, target) for notation, model in models.items()}
        seconds = fastest_s({name: layer.call for name, layer in measured.items()} | {"peak": limits.peak}, rounds)
        loop = limits.peak_flop / seconds["peak"]
        flop = {name: 2.0 * layer.kept * shape.out_size**2 for name, layer in measured.items()}
        found.append({"shape": str(shape), "layers": layers, "loop_flops": loop, "flop": flop, "seconds": {name: seconds[name] for name in flop}})
        rates = ", ".join(f"{name} {flop[name] / seconds[name] / 1e9:.0f}" for name in flop)
        print(f"  {shape!s:28} {rates}; loop {loop / 1e9:.0f}", flush=True)
    return found


def peak_flops(found: list[dict]) -> float:
    """The most that anything reached."""
    dense = [entry["flop"]["dense"] / entry["seconds"]["dense"] for entry in found if "dense" in entry["flop"]]
    return max([entry["loop_flops"] for entry in found] + dense)


def whole(found: list[dict], name: str) -> float:
    """GFLOP/s over all layers of the network: as if each ran as often as it is there."""
    return sum(entry["layers"] * entry["flop"][name] for entry in found) / sum(entry["layers"] * entry["seconds"][name] for entry in found) / 1e9


def products_of_one_position(choices: list[Choice], target: Target, limits: Limits, rounds: int) -> list[dict]:
    found, random, memory = [], np.random.default_rng(0), limits.read(MEMORY_BYTES)
    for columns, rows in LINEAR:
        for choice in choices:
            if not choice.pattern.fits(find_layers(linear(columns, rows, parse_choice("dense"), random))[0]):
                continue
            layer = LayerOnHost(linear(columns, rows, choice, random), target)
            seconds = fastest_s({"layer": layer.call, "read": limits.read(layer.bytes), "memory": memory}, rounds)
            rate, share = layer.bytes / seconds["layer"], seconds["read"] / seconds["layer"]
            of_memory = rate * seconds["memory"] / MEMORY_BYTES
            row = {"columns": columns, "rows": rows, "choice": choice.notation, "bytes": layer.bytes, "seconds": seconds}
            found.append(row | {"of_memory": of_memory, "of_bandwidth": share})
            spoken = f"{1e6 * seconds['layer']:.0f} us, {layer.bytes / 2**20:.1f} MiB at {rate / 1e9:.1f} GB/s"
            print(f"  {columns} -> {rows} {choice.notation}: {spoken}, {of_memory:.0%} of memory's, {share:.0%} of reading as much", flush=True)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--choices", default="dense,block4x1@0.5,block4x1@0.8,block8x1@0.8,unstructured@0.8")
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--measure", action="store_true", help="convolutions' kernels chosen by measurement, as spcompile --measure does it")
    parser.add_argument("--json", help="write the figures here too")
    args = parser.parse_args()
    target, choices = load_target("host"), [parse_choice(text) for text in args.choices.split(",")]
    limits = Limits(target)
    print(f"{cpu_model()}, one thread; useful GFLOP/s")
    found = convolutions(choices, target, limits, args.rounds, args.measure)
    peak = peak_flops(found) / 1e9
    print(f"Over ResNet-50's layers, and the share of the peak, {peak:.0f}")
    for choice in choices:
        print(f"  {choice.notation}: {whole(found, choice.notation):.0f} ({whole(found, choice.notation) / peak:.0%})")
    print("Linear layers on one position")
    products = products_of_one_position(choices, target, limits, args.rounds)
    if args.json:
        Path(args.json).write_text(json.dumps({"cpu": cpu_model(), "convolutions": found, "linear": products}, indent=1) + "\n")


if __name__ == "__main__":
    main()
