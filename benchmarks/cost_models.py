"""How well predictions hold: on this host against the clock, on ARM cores against machine code and published measurements.

    python benchmarks/cost_models.py [host] [networks] [machine-code] [arm] [--layers 16] [--seed 0] [--only resnet20] [--json FILE]

Without arguments all four parts.

host: random convolutions with random patterns and levels on one thread and on two, the kernel that would be chosen for each, predicted and measured,
about two minutes; whether the options of one layer are put in the right order; whether truth lies in the range that predictions state.
networks: ten whole networks on this host, dense and planned for three speed-ups, see network_predictions.py; about four minutes, needs ../shared.
machine-code: counts against llvm-mca on the loops emitted for each core that LLVM has a model of. arm: published layers and networks on ARM boards,
see arm_published.py.
"""

import argparse
import datetime
import json
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from arm_published import CALIBRATION, Points, judge_layers, judge_networks
from network_predictions import judge_networks_here
from networks import names_among, networks
from one_layer import Shape, layer_step, summary
from scipy.stats import spearmanr

from spcompile.costs import machine_code, measured
from spcompile.costs.cpu import predict
from spcompile.costs.latency import Latency
from spcompile.ir.layers import find_layers
from spcompile.kernels.kernel import Kernel
from spcompile.lowering.lower import lower
from spcompile.patterns import Choice, parse, parse_choice
from spcompile.runtime.on_host import ProgramOnHost
from spcompile.targets import explain_target, load_target
from spcompile.targets.target import Target

PATTERNS = ("unstructured", "unstructured", "block2x1", "block4x1", "block8x1", "block16x1", "2:4", "1:4", "4:8")
CHOICES = 9  # of a layer, beside dense
PARTS = ("host", "networks", "machine-code", "arm")
THREADS = (1, 2)
SAMPLES = 25  # of each kernel; the fastest counts, since other work only ever adds
AGREEMENT = 0.15  # asked of the two bases
CORES = ("cortex-a55", "cortex-a72", "cortex-a73", "cortex-a76", "cortex-a78", "cortex-x1", "neoverse-n1", "neoverse-n2", "neoverse-v1", "x86-avx512")


@dataclass(frozen=True)
class Judged:
    """One kernel: what was predicted, what was measured."""

    shape: str
    choice: str
    threads: int
    kernel: Kernel
    predicted: Latency
    true_s: float

    @property
    def within(self) -> bool:
        return self.predicted.low_s <= self.true_s <= self.predicted.high_s


def random_shapes(count: int, random: np.random.Generator) -> list[Shape]:
    """Between 5 and 120 million multiply-accumulates, activations of at most 3 MB."""
    shapes: list[Shape] = []
    while len(shapes) < count:
        channels = [int(random.choice([16, 24, 32, 64, 96, 128, 192, 256, 384, 512])) for _ in range(2)]
        shape = Shape(*channels, int(random.choice([7, 8, 14, 16, 28, 32, 56])), int(random.choice([1, 1, 3, 3, 5])), int(random.choice([1, 1, 1, 2])))
        if 5e6 < shape.macs < 1.2e8 and max(channels) * shape.size**2 * 4 < 3e6 and shape not in shapes:
            shapes.append(shape)
    return shapes


def random_choices(shape: Shape, random: np.random.Generator) -> list[Choice]:
    """Dense, and patterns that fit at levels of theirs, each once."""
    (layer,) = find_layers(shape.model(parse_choice("dense"), random))
    choices = [parse_choice("dense")]
    while len(choices) <= CHOICES:
        pattern = parse(str(random.choice(PATTERNS)))
        choice = Choice(pattern, float(random.choice(pattern.levels)))
        if pattern.fits(layer) and choice not in choices:
            choices.append(choice)
    return choices


def judge_layer(shape: Shape, choices: list[Choice], target: Target, threads: int, random: np.random.Generator) -> list[Judged]:
    """All choices of a layer, timed in turns."""
    programs = [lower(shape.model(choice, random), target, threads).program for choice in choices]
    steps = [layer_step(program) for program in programs]
    loaded = [ProgramOnHost(program, target, threads) for program in programs]
    empty = measured.measure([lambda: None])[0].expected_s + 0.4e-6  # a call through ctypes
    times = measured.measure([p.call(step) for p, step in zip(loaded, steps, strict=True)], threads, SAMPLES)
    return [
        Judged(str(shape), choice.notation, threads, step.kernel, predict(step.kernel.work(), target, threads), time.low_s - empty)
        for choice, step, time in zip(choices, steps, times, strict=True)
    ]


def order(judged: list[Judged]) -> float:
    """Spearman's rank correlation over the options of one layer; those that got the very same kernel are one, its fastest time true."""
    fastest = {j.kernel: j for j in sorted(judged, key=lambda j: -j.true_s)}.values()
    return spearmanr([j.predicted.expected_s for j in fastest], [j.true_s for j in fastest]).statistic


def judge_host(target: Target, layers: int, seed: int) -> Points:
    print(f"\n== This host: {target.description}")
    random, found, orders = np.random.default_rng(seed), [], []
    for shape in random_shapes(layers, random):
        choices = random_choices(shape, random)
        for threads in (n for n in THREADS if n <= target.cores):
            judged = judge_layer(shape, choices, target, threads, random)
            found += judged
            orders.append((threads, order(judged)))
            row = "  ".join(f"{j.choice} {j.predicted.expected_s * 1e6:.0f}/{j.true_s * 1e6:.0f}" for j in judged)
            print(f"{shape!s:24} {threads} thread(s), order {orders[-1][1]:.2f}  predicted/measured us: {row}", flush=True)
    for threads in sorted({j.threads for j in found}):
        of_layers = [value for on, value in orders if on == threads]
        told = f"order of a layer's options, Spearman: median {np.median(of_layers):.2f}, worst {min(of_layers):.2f}"
        print(f"{threads} thread(s): {of_kernels([j for j in found if j.threads == threads])}; {told}")
    print(f"all: {of_kernels(found)}")
    return {"Random kernels": [(f"{j.threads} thread(s)", j.predicted.expected_s, j.true_s) for j in found]}


def of_kernels(judged: list[Judged]) -> str:
    ratios = np.array([j.predicted.expected_s / j.true_s for j in judged])
    return f"{len(judged)} kernels: {summary(ratios)}, in the stated range {np.mean([j.within for j in judged]):.0%}"


def judge_machine_code(names: tuple[str, ...]) -> None:
    print("\n== analytic against machine-code: whole predictions of the kernels chosen for random layers, loops counted or simulated by llvm-mca")
    found: list[float] = []
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
        found.extend(ratios)
        print(f"{name:12} {differences(ratios)}", flush=True)
    print(f"{'all':12} {differences(np.array(found))}")


def differences(ratios: np.ndarray) -> str:
    apart = np.abs(ratios - 1)
    close = np.mean(apart <= AGREEMENT)
    return f"{len(ratios)} kernels: median difference {np.median(apart):.1%}, within {AGREEMENT:.0%}: {close:.0%}, bias {np.median(ratios):.2f}"


def judge_arm() -> Points:
    if not CALIBRATION.is_dir():
        print(f"\n== No {CALIBRATION}: the check against published measurements is left out")
        return {}
    return judge_layers() | judge_networks()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], default=[])
    parser.add_argument("--layers", type=int, default=16, help=f"of the part `host`: {CHOICES + 1} kernels each, on {len(THREADS)} counts of threads")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", type=lambda names: names_among(networks())(names), help="networks of the part `networks`, by commas")
    parser.add_argument("--json", type=Path, help="where all points go, for plot_predictions.py")
    args = parser.parse_args()
    os.environ["TVM_NUM_THREADS"] = str(max(THREADS))  # of the pool, which TVM makes when the first kernel hands work on
    parts, points = args.parts or PARTS, {}
    print(f"{datetime.datetime.now(datetime.timezone.utc):%Y-%m-%d}, {explain_target('host')}")
    if "host" in parts:
        points |= judge_host(load_target("host"), args.layers, args.seed)
    if "networks" in parts:
        points |= judge_networks_here(args.only or list(networks()))
    if "machine-code" in parts:
        judge_machine_code(CORES)
    if "arm" in parts:
        points |= judge_arm()
    if args.json:
        args.json.write_text(json.dumps(points))


if __name__ == "__main__":
    main()
