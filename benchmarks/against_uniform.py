"""Does the search lose less accuracy than one level everywhere, at the same time?

    python benchmarks/against_uniform.py [--only resnet20] [--speedups 1.5,2,2.5] [--samples 64] [--target host]

For each speed-up the least harmful uniform plan within the budget is found (predicted times, our own error model), then the search gets
exactly that plan's latency as its budget. Both are pruned alike and scored; on this host they are also compiled and timed in turns.
"""

import argparse
import sys
import tempfile
from pathlib import Path

import onnx_ir as ir

sys.path.insert(0, str(Path(__file__).parent))
from networks import networks

from spcompile.compiler.building import build
from spcompile.compiler.inputs import calibration_of
from spcompile.compiler.planning import problem_of
from spcompile.lowering.lower import lower
from spcompile.patterns import PATTERNS
from spcompile.progress import Silent
from spcompile.pruning import PRUNERS, prune
from spcompile.pruning.errors import measure_errors
from spcompile.runtime.measure import measure
from spcompile.search import choose, choose_uniform
from spcompile.targets import load_target
from spcompile.targets.target import Target

NETWORKS = "resnet20,resnet56,mobilenet_v1,mobilenet_v2,efficientnet_lite0,squeezenet10_sparse,dscnn,ppocr_rec,minilm"


def timed(models: dict[str, ir.Model], target: Target) -> str:
    """The median, round by round, of what the search's plan takes over what the uniform one takes."""
    with tempfile.TemporaryDirectory() as folder:
        samples = measure({key: build(model, target, 1, Path(folder) / f"{key}.so").call(1) for key, model in models.items()})
    return f", search takes {samples['search'].over(samples['uniform']):.3f} of uniform's measured time"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default=NETWORKS)
    parser.add_argument("--speedups", default="1.5,2,2.5")
    parser.add_argument("--samples", type=int, default=64)
    parser.add_argument("--target", default="host")
    args = parser.parse_args()
    target, known = load_target(args.target), networks()
    for name in args.only.split(","):
        network = known[name]
        model = network.prepared()
        data, pruner = calibration_of(network.calibration(args.samples), model), PRUNERS[-1]
        errors = measure_errors(model, data)
        problem = problem_of(model, lower(model, target, 1), target, 1, PATTERNS, errors.error, Silent())
        dense_s = choose(problem, None).dense_latency.expected_s

        def pruned(plan):
            return prune(model, plan.pruned, data, pruner, 0).model  # noqa: B023 - called within this round

        before = network.score(model)
        for speedup in map(float, args.speedups.split(",")):
            uniform = choose_uniform(problem, dense_s / speedup)
            searched = choose(problem, uniform.latency.expected_s)
            level = next((c.notation for c in uniform.choices.values() if c.sparsity > 0), "dense")
            models = {"uniform": pruned(uniform), "search": pruned(searched)}
            accuracy = {key: network.score(made) for key, made in models.items()}
            print(
                f"{name} {dense_s / uniform.latency.expected_s:.2f}x predicted: dense {before:.2%}, uniform {level} {accuracy['uniform']:.2%}, "
                f"search {accuracy['search']:.2%}{timed(models, target) if args.target == 'host' else ''}",
                flush=True,
            )


if __name__ == "__main__":
    main()
