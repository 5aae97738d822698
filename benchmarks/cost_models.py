"""How well predictions hold: on this host against the clock, on ARM cores against machine code and published measurements.

    python benchmarks/cost_models.py [host] [machine-code] [arm]        (all three without arguments; one thread, about five minutes)

host: random convolutions with random patterns and levels, the kernel that would be chosen for each, predicted and measured; and whether the
options of one layer are put in the right order. machine-code: counts against llvm-mca on the loops emitted for ARM cores. arm: our dense kernels,
predicted, against the tuned direct convolutions of TVM's TopHub on RK3399 and Raspberry Pi 3 (../shared/calibration).
"""

import argparse
import csv
import datetime
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir
from onnx import TensorProto, helper
from scipy.stats import spearmanr
from step_timing import ProgramOnHost

from spcompile import passes
from spcompile.costs import machine_code, measured
from spcompile.costs.cpu import predict
from spcompile.ir.layers import find_layers, with_weights
from spcompile.lowering.lower import lower
from spcompile.lowering.program import Program, Step
from spcompile.patterns import Choice, parse_choice
from spcompile.targets import explain_target, load_target
from spcompile.targets.target import Target

TOPHUB = Path(__file__).parents[2] / "shared" / "calibration" / "arm_dense_layers_tophub.csv"
OPTIONS = ("dense", "unstructured@0.6", "unstructured@0.8", "unstructured@0.9", "unstructured@0.95", "2:4", "1:4")
OPTIONS += ("block4x1@0.7", "block4x1@0.9", "block8x1@0.8")
LAYERS = 15
ARM_CORES = ("cortex-a55", "cortex-a72", "cortex-a76", "neoverse-n1", "cortex-x1")


@dataclass(frozen=True)
class Shape:
    """A square convolution."""

    in_channels: int
    out_channels: int
    size: int
    kernel: int
    stride: int = 1

    def __str__(self) -> str:
        return f"{self.kernel}x{self.kernel}/{self.stride} {self.in_channels}->{self.out_channels} @{self.size}"

    @property
    def macs(self) -> int:
        return self.in_channels * self.out_channels * self.kernel**2 * (self.size // self.stride) ** 2

    def model(self, choice: Choice, random: np.random.Generator) -> ir.Model:
        """A network of this one layer, pruned at random."""
        pad = self.kernel // 2
        node = helper.make_node("Conv", ["x", "w"], ["y"], name="layer", pads=[pad] * 4, strides=[self.stride] * 2)
        weight = random.standard_normal((self.out_channels, self.in_channels, self.kernel, self.kernel)).astype(np.float32)
        out = (self.size + 2 * pad - self.kernel) // self.stride + 1
        graph = helper.make_graph(
            [node],
            "one",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, self.in_channels, self.size, self.size])],
            [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, self.out_channels, out, out])],
            [onnx.numpy_helper.from_array(weight, "w")],
        )
        model = passes.prepare(ir.from_proto(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)))
        (layer,) = find_layers(model)
        matrix = layer.to_matrix(weight)
        return with_weights(model, {layer.name: matrix * choice.pattern.mask(random.random(matrix.shape), choice.sparsity)})


def layer_step(program: Program) -> Step:
    (step,) = (step for step in program.steps if step.layer is not None)
    return step


def random_shapes(count: int, random: np.random.Generator) -> list[Shape]:
    """Between 5 and 120 million multiply-accumulates, activations of at most 3 MB."""
    shapes: list[Shape] = []
    while len(shapes) < count:
        channels = [int(random.choice([16, 24, 32, 64, 96, 128, 192, 256, 384, 512])) for _ in range(2)]
        shape = Shape(*channels, int(random.choice([7, 8, 14, 16, 28, 32, 56])), int(random.choice([1, 1, 3, 3, 5])), int(random.choice([1, 1, 1, 2])))
        if 5e6 < shape.macs < 1.2e8 and max(channels) * shape.size**2 * 4 < 3e6 and shape not in shapes:
            shapes.append(shape)
    return shapes


def summary(ratios: np.ndarray) -> str:
    """Of predicted / true."""
    error, within = np.abs(ratios - 1), np.quantile(1 / ratios, [0.05, 0.95])
    return (
        f"median error {np.median(error):.1%}, 90th percentile {np.quantile(error, 0.9):.1%}, bias {np.median(ratios):.2f}, "
        f"truth / prediction {within[0]:.2f} to {within[1]:.2f} in 9 of 10"
    )


def judge_host(target: Target) -> None:
    print(f"\n== This host: {target.description}")
    random = np.random.default_rng(0)
    empty = measured.measure([lambda: None])[0].expected_s + 0.4e-6  # a call through ctypes
    ratios, orders = [], []
    for shape in random_shapes(LAYERS, random):
        choices = [choice for choice in map(parse_choice, OPTIONS) if choice.pattern.fits(find_layers(shape.model(parse_choice("dense"), random))[0])]
        programs = [lower(shape.model(choice, random), target).program for choice in choices]
        steps = [layer_step(program) for program in programs]
        expected = np.array([predict(step.kernel.work(), target, 1).expected_s for step in steps])
        loaded = [ProgramOnHost(program, target, 1) for program in programs]
        true = np.array([time.low_s for time in measured.measure([p.call(step) for p, step in zip(loaded, steps, strict=True)])]) - empty
        ratios.extend(expected / true)
        orders.append(spearmanr(expected, true).statistic)
        row = "  ".join(f"{choice.notation} {p * 1e6:.0f}/{t * 1e6:.0f}" for choice, p, t in zip(choices, expected, true, strict=True))
        print(f"{shape!s:24} order {orders[-1]:.2f}  predicted/measured us: {row}", flush=True)
    print(f"{len(ratios)} kernels: {summary(np.array(ratios))}; order of a layer's options, Spearman: median {np.median(orders):.2f}, worst {min(orders):.2f}")


def judge_machine_code(names: tuple[str, ...]) -> None:
    print("\n== Counts against llvm-mca, inner loops of the kernels chosen for random layers")
    for name in names:
        target = load_target(name)
        if not (verdict := machine_code.available(target)):
            print(f"{name:12} {verdict.reason}")
            continue
        random = np.random.default_rng(1)
        options = [parse_choice(option) for option in ("dense", "unstructured@0.8", "block4x1@0.8")]
        kernels = {layer_step(lower(s.model(choice, random), target).program).kernel for s in random_shapes(8, random) for choice in options}
        refined = [(k, latency) for k, latency in zip(kernels, machine_code.predict_all(list(kernels), target, 1), strict=True) if latency.basis != "analytic"]
        ratios = np.array([predict(kernel.work(), target, 1).expected_s / latency.expected_s for kernel, latency in refined])
        print(f"{name:12} {len(ratios)} kernels: median difference {np.median(np.abs(ratios - 1)):.1%}, bias {np.median(ratios):.2f}", flush=True)


def judge_arm() -> None:
    if not TOPHUB.is_file():
        print(f"\n== No {TOPHUB.name} in {TOPHUB.parent}: the check against published measurements is left out")
        return
    boards = {
        "rk3399": replace(load_target("cortex-a72"), name="rk3399-big", clock_hz=1.8e9, cores=2),
        "bcm2837": replace(load_target("cortex-a53"), name="bcm2837", clock_hz=1.2e9, cores=4),
    }
    print("\n== Dense kernels against TopHub's tuned direct convolutions (conv2d_nchw_spatial_pack, fp32)")
    for tag, target in boards.items():
        rows = [row for row in csv.DictReader(TOPHUB.open()) if row["model_tag"] == tag and row["op"] == "conv2d_nchw_spatial_pack"]
        times: dict[Shape, float] = {}
        for row in rows:
            shape = Shape(*(int(row[field]) for field in ("cin", "cout", "h", "kh", "stride")))
            if row["h"] == row["w"] and row["kh"] == row["kw"] and int(row["pad"]) == shape.kernel // 2 and row["dtype"] == "float32":
                times[shape] = min(float(row["ms"]) * 1e-3, times.get(shape, np.inf))
        random, dense = np.random.default_rng(0), parse_choice("dense")
        works = [layer_step(lower(shape.model(dense, random), target, target.cores).program).kernel.work() for shape in times]
        expected, true = np.array([predict(work, target, target.cores).expected_s for work in works]), np.array(list(times.values()))
        print(f"{target.name} {len(true)} layers, {target.cores} threads: {summary(expected / true)}; Spearman {spearmanr(expected, true).statistic:.3f}")
        for kernel in sorted({shape.kernel for shape in times}):
            of = np.array([shape.kernel == kernel for shape in times])
            print(f"    {kernel}x{kernel}: {of.sum()} layers, predicted / published {np.median(expected[of] / true[of]):.2f}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("parts", nargs="*", choices=["host", "machine-code", "arm", []], default=[])
    parts = parser.parse_args().parts or ["host", "machine-code", "arm"]
    print(f"{datetime.datetime.now(datetime.timezone.utc):%Y-%m-%d}, {explain_target('host')}")
    if "host" in parts:
        judge_host(load_target("host"))
    if "machine-code" in parts:
        judge_machine_code(ARM_CORES)
    if "arm" in parts:
        judge_arm()


if __name__ == "__main__":
    main()
