"""Does the search lose less accuracy than one level everywhere, at the same time?

    python benchmarks/against_uniform.py [--only resnet20] [--speedups 1.5,2,2.5] [--samples 64] [--seed 0] [--target host]

For each speed-up the least harmful uniform plan within the budget is found (predicted times, our own error model), then the search gets
that plan's latency as its budget: on this host as measured, both compiled and timed in turns, elsewhere as predicted. Both are pruned alike and scored.
Networks with more calibration samples than were asked for are also compared with the dense one on those left over: classifiers by how often they give
its answer, others by the squared error of their outputs. Seeds other than 0 draw the calibration samples anew. Networks with more labels are
scored by those too (CIFAR-10's 10,000 test images, which are there as JPEG only; STS-B's dev set): a thousand labels cannot tell networks apart that
differ by a point.
"""

import argparse
import sys
import tempfile
from pathlib import Path

import numpy as np
import onnx_ir as ir

sys.path.insert(0, str(Path(__file__).parent))
from networks import Network, answers, names_among, networks

from spcompile.compiler.building import build
from spcompile.compiler.inputs import calibration_of
from spcompile.compiler.planning import problem_of
from spcompile.compiler.sparsifier import Sparsifier
from spcompile.compiler.trust import trusted
from spcompile.ir.session import Session
from spcompile.lowering.lower import lower
from spcompile.lowering.predict import Predictor
from spcompile.patterns import GENERAL
from spcompile.plan import Plan
from spcompile.progress import Silent
from spcompile.pruning import PRUNERS, Magnitude, prune
from spcompile.pruning.distortion import distortion
from spcompile.pruning.errors import measure_errors
from spcompile.pruning.permutation import permuted
from spcompile.pruning.scores import scored
from spcompile.runtime.measure import measure
from spcompile.search import Problem, choose, uniforms
from spcompile.search.choose import assemble
from spcompile.search.relaxation import within
from spcompile.targets import load_target
from spcompile.targets.target import Target

NETWORKS = "resnet20,resnet56,mobilenet_v1,mobilenet_v2,efficientnet_lite0,squeezenet10_sparse,dscnn,ppocr_rec,minilm"
UNSEEN = 2000  # samples at most that nothing was fitted to
MEASURE_S = 4.0
ROUNDS = 10  # of search and measurement, until both plans take one time
DAMPING = 0.85  # of each step against the one before, so that they do not go to and fro between two plans
CLOSE = 0.985  # the search's measured time over the uniform plan's from which on both are called equal
AIM = 0.993  # what is measured wanders by half a per cent


def uniform_within(problem: Problem, limit_s: float) -> Plan:
    """The uniform plan of least error that takes no longer; the fastest one when none is as fast."""
    every = uniforms(problem)
    holding = [plan for plan in every if within(plan.latency_s, limit_s)]
    best = min(holding, key=lambda plan: (plan.error, plan.latency_s)) if holding else min(every, key=lambda plan: plan.latency_s)
    return assemble(problem, best.picks, limit_s, lambda layer, option: "the same everywhere")


def at_same_time(model: ir.Model, problem: Problem, uniform: Plan, target: Target) -> Plan:
    """The slowest of the search's plans that takes no more measured time than the uniform one.

    Time depends on where zeros are, not on the weights' values: masks by magnitude stand in for the final ones.
    """

    def masked(plan: Plan) -> ir.Model:
        return prune(model, plan.pruned, None, Magnitude()).model

    limit_s, found, beside = uniform.latency.expected_s, {}, masked(uniform)  # plans by share
    for at in range(ROUNDS):
        plan = choose(problem, limit_s)
        share = share_of_time(masked(plan), beside, target)
        found[share] = plan
        if CLOSE <= share <= 1:
            break
        limit_s = plan.latency.expected_s * (AIM / share) ** DAMPING**at
    return found[max((share for share in found if share <= 1), default=min(found))]


def share_of_time(search: ir.Model, uniform: ir.Model, target: Target) -> float:
    """What the search's network takes over what the uniform one takes here: both in their fastest round."""
    with tempfile.TemporaryDirectory() as folder:
        calls = {key: build(model, target, 1, Path(folder) / f"{key}.so").call() for key, model in (("search", search), ("uniform", uniform))}
        samples = measure(calls, MEASURE_S)
    return samples["search"].over(samples["uniform"])


def drawn(network: Network, samples: int, seed: int) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """-> what networks are fitted to, and at most `UNSEEN` samples more."""
    feeds = network.calibration(samples + UNSEEN)
    if seed:
        order = np.random.default_rng(seed).permutation(len(next(iter(feeds.values()))))
        feeds = {name: array[order] for name, array in feeds.items()}
    return {name: array[:samples] for name, array in feeds.items()}, {name: array[samples:] for name, array in feeds.items()}


def unseen(network: Network, dense: ir.Model, models: dict[str, ir.Model], feeds: dict[str, np.ndarray]) -> str:
    """What the networks do on samples that nothing was fitted to; nothing where there are none."""
    if not (count := len(next(iter(feeds.values())))):
        return ""
    if network.classifies:
        expected = answers(dense, feeds)
        return f"; as dense on {count} unseen: " + ", ".join(f"{name} {(answers(model, feeds) == expected).mean():.2%}" for name, model in models.items())
    beside = Session(scored(dense))
    errors = {name: distortion(zip(beside.batches(feeds), Session(scored(model)).batches(feeds), strict=True)) for name, model in models.items()}
    return f"; squared error of outputs on {count} unseen: " + ", ".join(f"{name} {error:.4f}" for name, error in errors.items())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", type=names_among(networks()), default=NETWORKS)
    parser.add_argument("--speedups", default="1.5,2,2.5")
    parser.add_argument("--samples", type=int, default=64)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--target", default="host")
    args = parser.parse_args()
    target, known, here = load_target(args.target), networks(), args.target == "host"
    for name in args.only:
        network = known[name]
        given = network.prepared()
        fitted, others = drawn(network, args.samples, args.seed)
        data = calibration_of(fitted, given)
        model = permuted(given, GENERAL, data)
        sparsifier = Sparsifier.of(model, data, PRUNERS[-1], args.seed, None, Silent())
        errors = measure_errors(model, sparsifier.data, rows=sparsifier.rows)
        problem = problem_of(model, Predictor(lower(model, target, 1), target, 1), target, 1, GENERAL, errors.error, Silent())
        dense_s = choose(problem, None).dense_latency.expected_s
        before = network.score(model)
        for speedup in map(float, args.speedups.split(",")):
            uniform = uniform_within(problem, dense_s / speedup)
            limit_s = uniform.latency.expected_s
            judged = trusted(problem, errors.sensitivities, limit_s, sparsifier.harm)
            searched = at_same_time(model, judged, uniform, target) if here else choose(judged, limit_s)
            level = next((c.notation for c in uniform.choices.values() if c.sparsity > 0), "dense")
            models = {key: sparsifier.pruned(plan).model for key, plan in (("uniform", uniform), ("search", searched))}
            accuracy = {key: network.score(made) for key, made in models.items()}
            predicted = searched.latency.expected_s / limit_s
            timing = f", search takes {share_of_time(**models, target=target):.3f} of uniform's measured time ({predicted:.4f} predicted)" if here else ""
            scores = ", ".join(f"{key} {network.more_labels(made):.2%}" for key, made in models.items()) if network.more_labels else ""
            more = f"; of {network.more_title}: {scores}" if scores else ""
            print(
                f"{name} {dense_s / uniform.latency.expected_s:.2f}x predicted: dense {before:.2%}, uniform {level} {accuracy['uniform']:.2%}, "
                f"search {accuracy['search']:.2%}{timing}{unseen(network, model, models, others)}{more}",
                flush=True,
            )


if __name__ == "__main__":
    main()
