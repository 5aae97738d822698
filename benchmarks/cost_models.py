"""How well predictions hold: on this host against the clock, on ARM cores against machine code and published measurements.

    python benchmarks/cost_models.py [host] [machine-code] [arm]        (all three without arguments; one thread, about eight minutes)

host: random convolutions with random patterns and levels, the kernel that would be chosen for each, predicted and measured; and whether the
options of one layer are put in the right order. machine-code: counts against llvm-mca on the loops emitted for ARM cores. arm: published layers and
networks on ARM boards, see arm_published.py.
"""

import argparse
import datetime

import numpy as np
from arm_published import CALIBRATION, judge_layers, judge_networks
from one_layer import Shape, layer_step, summary
from scipy.stats import spearmanr
from step_timing import ProgramOnHost

from spcompile.costs import machine_code, measured
from spcompile.costs.cpu import predict
from spcompile.ir.layers import find_layers
from spcompile.lowering.lower import lower
from spcompile.patterns import parse_choice
from spcompile.targets import explain_target, load_target
from spcompile.targets.target import Target

OPTIONS = ("dense", "unstructured@0.6", "unstructured@0.8", "unstructured@0.9", "unstructured@0.95", "2:4", "1:4")
OPTIONS += ("block4x1@0.7", "block4x1@0.9", "block8x1@0.8")
LAYERS = 15
ARM_CORES = ("cortex-a55", "cortex-a72", "cortex-a73", "cortex-a76", "cortex-a78", "neoverse-n1", "neoverse-n2", "neoverse-v1", "cortex-x1")


def random_shapes(count: int, random: np.random.Generator) -> list[Shape]:
    """Between 5 and 120 million multiply-accumulates, activations of at most 3 MB."""
    shapes: list[Shape] = []
    while len(shapes) < count:
        channels = [int(random.choice([16, 24, 32, 64, 96, 128, 192, 256, 384, 512])) for _ in range(2)]
        shape = Shape(*channels, int(random.choice([7, 8, 14, 16, 28, 32, 56])), int(random.choice([1, 1, 3, 3, 5])), int(random.choice([1, 1, 1, 2])))
        if 5e6 < shape.macs < 1.2e8 and max(channels) * shape.size**2 * 4 < 3e6 and shape not in shapes:
            shapes.append(shape)
    return shapes


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
    if not CALIBRATION.is_dir():
        print(f"\n== No {CALIBRATION}: the check against published measurements is left out")
        return
    judge_layers()
    judge_networks()


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
