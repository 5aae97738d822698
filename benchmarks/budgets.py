"""Are budgets kept on this host? Budgets are shares of the dense time of our own compiled network, measured beside the plan, one thread.

    python benchmarks/budgets.py [--measure] [--only resnet20] [--samples 64]

Latency depends on where zeros are, not on weights' values; each plan is nevertheless pruned and compiled as a user gets it.
"""

import argparse
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from networks import names_among, networks

from spcompile import compile as compile_network

NETWORKS = "resnet20,mobilenet_v1,mobilenet_v2,efficientnet_lite0,dscnn"
SHARES = (0.8, 0.6, 0.45)
SLACK = 1.05


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", type=names_among(networks()), default=NETWORKS)
    parser.add_argument("--measure", action="store_true")
    parser.add_argument("--samples", type=int, default=64)
    args = parser.parse_args()
    known, kept, asked = networks(), 0, 0
    for name in args.only:
        network = known[name]
        for share in SHARES:
            with tempfile.TemporaryDirectory() as folder:
                report = compile_network(
                    network.source(), target="host", budget=f"{1 / share:.6f}x", calibration=network.calibration(args.samples),
                    input_shapes=network.input_shapes or None, measure=args.measure, output=Path(folder) / "artifact",
                ).report  # fmt: skip
            dense, plan = report.measured.dense.fastest_s, report.measured.plan.fastest_s
            ratio = 1 / (share * report.measured.speedup)
            kept, asked = kept + (ratio <= SLACK), asked + 1
            print(
                f"{name}: budget {share:.2f} of dense, {share * dense * 1e3:.3f} ms; measured {plan * 1e3:.3f} = {ratio:.3f} of it"
                f" (predicted {report.plan.latency.expected_s * 1e3:.3f})",
                flush=True,
            )
    print(f"{kept} of {asked} within {SLACK} x budget")


if __name__ == "__main__":
    main()
