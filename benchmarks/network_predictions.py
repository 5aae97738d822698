"""Predicted against measured latency of whole networks on this host, dense and with patterns imposed.

    python benchmarks/network_predictions.py [--only resnet20] [--choices dense,block4x1@0.8] [--threads 1] [--seconds 6]

Predictions are those that plans are chosen by: no measurement enters them.
"""

import argparse
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
import numpy as np
from engines import imposed
from networks import Network, networks

from spcompile.compiler.building import build
from spcompile.lowering.lower import lower
from spcompile.lowering.predict import Predictor
from spcompile.patterns import Choice, parse_choice
from spcompile.runtime.host import cpu_model
from spcompile.runtime.measure import Sample, measure
from spcompile.targets import load_target


def compare(network: Network, choices: list[Choice], threads: int, seconds: float) -> dict[str, tuple[float, Sample]]:
    """-> by choice: predicted seconds and the measured sample."""
    target = load_target("host")
    model = network.prepared()
    calls, predicted = {}, {}
    with tempfile.TemporaryDirectory() as folder:
        for number, choice in enumerate(choices):
            pruned = imposed(model, choice)
            predicted[choice.notation] = Predictor(lower(pruned, target, threads), target, threads).total.expected_s
            built = build(pruned, target, threads, Path(folder) / f"{number}.so")
            calls[choice.notation] = built.call(threads)
        samples = measure(calls, seconds)
    return {name: (predicted[name], samples[name]) for name in calls}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", help="names, by commas")
    parser.add_argument("--choices", default="dense,block4x1@0.8,unstructured@0.8,2:4")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=6.0, help="of timing, a network")
    args = parser.parse_args()
    known, choices, ratios = networks(), [parse_choice(text) for text in args.choices.split(",")], []
    print(f"{cpu_model()}, {args.threads} thread(s); predicted / measured median (lower quartile) in ms")
    for name in args.only.split(",") if args.only else known:
        found = compare(known[name], choices, args.threads, args.seconds)
        ratios += [expected / sample.median_s for expected, sample in found.values()]
        cells = (f"{key} {p * 1e3:.3f}/{s.median_s * 1e3:.3f} ({s.quartiles_s[0] * 1e3:.3f}) = {p / s.median_s:.2f}" for key, (p, s) in found.items())
        print(name, ", ".join(cells), flush=True)
    error = np.abs(np.array(ratios) - 1)
    print(f"{len(ratios)} networks: median error {np.median(error):.1%}, worst {error.max():.1%}, median predicted / measured {np.median(ratios):.2f}")


if __name__ == "__main__":
    main()
