"""Does `spcompile check` find what got slower, and nothing else? MobileNetV1, slowdowns planted in one kernel, and an unchanged artifact beside other work.

    python benchmarks/check.py [--runs 50] [--shares 3,5,10,30] [--layer NAME] [--target x86] [--budget 2x]

A worse register tile and a denser layer of each size, and a lost fusion, are compiled and held against the baseline of the unharmed network: the deterministic
figures have to find all of them, the measured times those from 10 % on. Then the unharmed artifact is checked again and again while another process
loads one core: nothing may be found. Exit code 1 when something was. Needs ../shared; run it on a machine that is otherwise idle.
"""

import argparse
import multiprocessing
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
import numpy as np
from networks import ASSETS
from planted import denser, lost_fusion, worse_tile

from spcompile import compile as compile_network
from spcompile.check import Result, check, update
from spcompile.check.compare import WHOLE, WORSE, Finding
from spcompile.check.figures import LATENCY

MODEL = ASSETS / "imagenet/mobilenet_v1_1.0_224.onnx"
MEASURED_FROM = 0.10  # a slowdown that the measured mode has to find


def compiled(args: argparse.Namespace, folder: Path) -> Path:
    compile_network(MODEL, target=args.target, budget=args.budget, patterns="unstructured", output=folder)
    return folder


def plants(layer: str, shares: list[float]) -> Iterator[tuple[str, AbstractContextManager]]:
    for share in shares:
        yield f"tile {share:.0%}", worse_tile(layer, 1 + share)
    for share in shares:
        yield f"denser {share:.0%}", denser(layer, share)
    yield "lost fusion", lost_fusion(layer)


def of_layer(result: Result, layer: str, figure: str) -> Finding | None:
    return next((found for found in result.findings if (found.place, found.figure.name) == (layer, figure)), None)


def slower(result: Result, layer: str) -> float:
    """Predicted, of the layer and of what was split off it, as a share of what it was."""
    was = of_layer(result, layer, "predicted_cycles")
    new = sum(found.now for found in result.of(WORSE) if found.reason == "new since the baseline")
    return (was.now + new) / was.was - 1


def alarms(result: Result, measured: bool) -> list[Finding]:
    return [found for found in result.of(WORSE) if (found.figure == LATENCY) is measured]


def find_planted(args: argparse.Namespace, layer: str, baseline: Path, folder: Path) -> bool:
    """-> whether all was found that has to be. Measured: the layer's time, or the whole model's."""
    kept = True
    print("planted | layer predicted | deterministic | layer measured | allowed | whole measured | allowed | measured mode", flush=True)
    for name, planted in plants(layer, args.shares):
        with planted:
            artifact = compiled(args, folder / name.replace(" ", "-").replace("%", ""))
        result = check(artifact, baseline)
        share, found, seen = slower(result, layer), bool(alarms(result, measured=False)), bool(alarms(result, measured=True))
        times = [
            f"{time.change:+.1%} | {time.tolerance:.1%}" if time is not None else "- | -"
            for time in (of_layer(result, p, LATENCY.name) for p in (layer, WHOLE))
        ]
        print(f"{name} | {share:+.1%} | {'found' if found else 'MISSED'} | {times[0]} | {times[1]} | {'found' if seen else 'not found'}", flush=True)
        kept &= found and (seen or share < MEASURED_FROM)
    return kept


def _load() -> None:
    data = np.random.default_rng(0).random(1 << 20)
    while True:
        np.sort(data)


@contextmanager
def one_core_loaded() -> Iterator[None]:
    loader = multiprocessing.get_context("spawn").Process(target=_load, daemon=True)
    loader.start()
    time.sleep(2)  # until it has begun
    try:
        assert loader.is_alive(), "the loader did not start"
        yield
    finally:
        loader.terminate()
        loader.join()


def find_nothing(args: argparse.Namespace, artifact: Path, baseline: Path) -> bool:
    """-> whether an unchanged artifact never gave an alarm beside other work."""
    wrong, changes = 0, []
    with one_core_loaded():
        for run in range(args.runs):
            result = check(artifact, baseline)
            changes += [found.change for found in result.findings if found.figure == LATENCY and found.change is not None]
            if result.failures:
                wrong += 1
                told = "; ".join(f"{found.figure.name} of {found.place} {found.change:+.1%}, allowed {found.tolerance:.1%}" for found in result.failures)
                print(f"run {run + 1}: FALSE ALARM: {told}", flush=True)
    spread = f"; measured times {min(changes):+.1%} to {max(changes):+.1%}" if changes else ""
    print(f"{wrong} false alarms in {args.runs} runs of an unchanged artifact beside a process that loads one core{spread}")
    return not wrong


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=50)
    parser.add_argument("--shares", type=lambda text: [float(word) / 100 for word in text.split(",")], default="3,5,10,30")
    parser.add_argument("--layer", help="the longest one unless given")
    parser.add_argument("--target", default="x86")
    parser.add_argument("--budget", default="2x")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        artifact, baseline = compiled(args, folder / "unharmed"), folder / "baseline.json"
        taken = update(artifact, baseline)
        layer = args.layer or max((found for found in taken.layers if found.figures["macs"]), key=lambda found: found.figures["predicted_cycles"]).name
        share = taken.measured.layers[layer].undisturbed_s / taken.measured.undisturbed_s
        print(f"{taken.model} on {taken.target}: {taken.measured.undisturbed_s * 1e3:.2f} ms; planted in {layer}, {share:.1%} of it")
        found = find_planted(args, layer, baseline, folder)
        quiet = find_nothing(args, artifact, baseline)
    sys.exit(0 if found and quiet else 1)


if __name__ == "__main__":
    main()
