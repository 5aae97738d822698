"""The main job on every network: compiled for x86 and ARM at half its dense time, checked, scored before and after.

python benchmarks/main_job.py [--targets host,arm] [--budget 2x] [--samples 64] [--only resnet20,dscnn] [--json FILE]
"""

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from networks import Network, names_among, networks

from spcompile import compile as compile_network
from spcompile.report.facts import Accuracy, Measurement, Verification

COLUMNS = ("network", "target", "ok", "worst diff", "where", "dense ms", "plan ms", "measured", "before", "after", "wall s", "peak MB")


def row(network: Network, target: str, budget: str, samples: int) -> dict:
    data = network.calibration(samples) if network.calibration is not None else None
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        report = compile_network(
            network.source(), target=target, budget=budget, calibration=data, evaluate=network.score, input_shapes=network.input_shapes or None,
            example_inputs=network.example_inputs() if network.example_inputs else None, output=Path(folder) / "artifact",
        ).report  # fmt: skip
    plan, check, measured, accuracy = report.plan, report.verification, report.measured, report.accuracy
    known = isinstance(accuracy, Accuracy)
    return {
        "network": network.name,
        "target": report.target.name,
        "ok": isinstance(check, Verification) and check.holds and plan.feasible,
        "worst diff": check.worst_relative_difference if isinstance(check, Verification) else None,
        "where": check.where if isinstance(check, Verification) else check.reason,
        "dense ms": plan.dense_latency.expected_s * 1e3,
        "plan ms": plan.latency.expected_s * 1e3,
        "measured": [measured.dense.fastest_s * 1e3, measured.plan.fastest_s * 1e3] if isinstance(measured, Measurement) else None,
        "before": accuracy.before if known else None,
        "after": accuracy.after if known else None,
        "wall s": time.perf_counter() - started,
        "peak MB": report.peak_memory_bytes / 1e6,
    }


def shown(value) -> str:
    if isinstance(value, list):
        return " -> ".join(shown(item) for item in value)
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--targets", default="host,arm")
    parser.add_argument("--budget", default="2x")
    parser.add_argument("--samples", type=int, default=64)
    parser.add_argument("--only", type=names_among(networks()), help="names, by commas")
    parser.add_argument("--json", help="write the rows here too")
    args = parser.parse_args()
    known = networks()
    rows = []
    print(" | ".join(COLUMNS), flush=True)
    for name in args.only or known:
        for target in args.targets.split(","):
            rows.append(row(known[name], target, args.budget, args.samples))
            print(" | ".join(shown(rows[-1][column]) for column in COLUMNS), flush=True)
    if args.json:
        Path(args.json).write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
