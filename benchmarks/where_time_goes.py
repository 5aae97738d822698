"""Where the time of a network goes: every step timed in its place, against its prediction and the machine's limits.

    python benchmarks/where_time_goes.py resnet50_random [--choice block4x1@0.9] [--rounds 40] [--top 30]

Steps are called one after the other as the compiled network calls them, so each finds the caches as it does there.
"""

import argparse
import sys
from collections import defaultdict
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
import numpy as np
from engines import imposed
from networks import networks

from spcompile.costs.cpu import predict
from spcompile.lowering.lower import lower
from spcompile.patterns import parse_choice
from spcompile.runtime.on_host import ProgramOnHost
from spcompile.targets import load_target


def step_seconds(loaded: ProgramOnHost, rounds: int) -> np.ndarray:
    """Median seconds of each step, all called in their order, once a round."""
    return np.median([loaded.round() for _ in range(rounds)], axis=0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("network", choices=networks())
    parser.add_argument("--choice", default="dense")
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--top", type=int, default=30, help="steps shown, the longest first")
    args = parser.parse_args()
    network, target = networks()[args.network], load_target("host")
    model = network.prepared()
    program = lower(imposed(model, parse_choice(args.choice)), target).program
    loaded = ProgramOnHost(program, target, 1)
    seconds = step_seconds(loaded, args.rounds)
    works = [step.kernel.work() for step in program.steps]
    alone = np.array([predict(work, target, 1).expected_s for work in works])
    placed = np.array([predict(work, target, 1, network_bytes=program.bytes).expected_s for work in works])
    peak = 2 * target.fma_per_cycle * target.lanes_fp32 * target.clock_hz
    print(f"{args.network} {args.choice}: {seconds.sum() * 1e3:.3f} ms measured, {placed.sum() * 1e3:.3f} predicted, {alone.sum() * 1e3:.3f} with warm caches")
    kinds = defaultdict(list)
    for at, step in enumerate(program.steps):
        kinds[type(step.kernel).__name__].append(at)
    for kind, places in sorted(kinds.items(), key=lambda item: -seconds[item[1]].sum()):
        print(f"  {kind:12} {len(places):4} steps {seconds[places].sum() * 1e3:8.3f} ms, predicted {placed[places].sum() * 1e3:8.3f}")
    for at in np.argsort(-seconds)[: args.top]:
        step, rate = program.steps[at], 2 * works[at].macs / max(seconds[at], 1e-9)
        times = f"{seconds[at] * 1e6:8.1f} us, predicted {placed[at] * 1e6:8.1f} ({alone[at] * 1e6:8.1f} warm), {rate / peak:4.0%} of peak"
        print(f"  {times}  {step.kernel.title}  {step.node}")


if __name__ == "__main__":
    main()
