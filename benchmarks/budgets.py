"""Are budgets kept on this host? Budgets are shares of the measured dense time of our own compiled network, one thread.

    python benchmarks/budgets.py [--measure] [--only resnet20] [--samples 64]

Latency depends on where zeros are, not on weights' values; each plan is nevertheless pruned and compiled as a user gets it.
"""

import argparse
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from networks import networks

from spcompile import compile as compile_network
from spcompile.compiler.building import (
    Host,
    build,
)
from spcompile.compiler.inputs import prepared
from spcompile.targets import load_target

NETWORKS = "resnet20,mobilenet_v1,mobilenet_v2,efficientnet_lite0,dscnn"
SHARES = (0.8, 0.6, 0.45)
SLACK = 1.05


def dense_s(network, target) -> float:
    model = prepared(network.source(), network.input_shapes or None, None)
    with tempfile.TemporaryDirectory() as folder:
        return Host(target, 1, model).compare(build(model, target, 1, Path(folder) / "dense.so")).plan.median_s


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default=NETWORKS)
    parser.add_argument("--measure", action="store_true")
    parser.add_argument("--samples", type=int, default=64)
    args = parser.parse_args()
    target, known, kept, asked = load_target("host"), networks(), 0, 0
    for name in args.only.split(","):
        network = known[name]
        for share in SHARES:
            budget_s = share * dense_s(network, target)
            with tempfile.TemporaryDirectory() as folder:
                report = compile_network(
                    network.source(), target="host", budget=f"{budget_s * 1e6:.3f}us", calibration=network.calibration(args.samples),
                    input_shapes=network.input_shapes or None, measure=args.measure, output=Path(folder) / "artifact",
                ).report  # fmt: skip
            ratio = report.measured.plan.median_s / budget_s
            kept, asked = kept + (ratio <= SLACK), asked + 1
            dense, predicted = report.measured.dense.median_s, report.plan.latency.expected_s
            print(
                f"{name} at {share:.2f}: budget {budget_s * 1e3:.3f} ms, predicted {predicted * 1e3:.3f}, measured {ratio * budget_s * 1e3:.3f}"
                f" = {ratio:.3f} of it (dense beside it {dense * 1e3:.3f})",
                flush=True,
            )
    print(f"{kept} of {asked} within {SLACK} x budget")


if __name__ == "__main__":
    main()
