"""Does the error model rank plans as the truth does?

    python benchmarks/error_model.py [--only resnet20,dscnn] [--plans 40] [--samples 64] [--scored 300]

Random plans (per plan a highest level between 0.3 and 0.85; per layer dense once in four, else any pattern at any level up to it) are pruned
one-shot. Predicted: the sum of the layers' errors. True: relative squared error of the output, answers that change, and accuracy lost, on labelled
inputs that nobody has seen. Prints Spearman's rank correlation of each.
"""

import argparse
import itertools
import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
from networks import assets_module, names_among, networks

from spcompile.ir.layers import find_layers
from spcompile.ir.session import Session
from spcompile.patterns import GENERAL, Choice
from spcompile.pruning import calibration_from, measure_errors, permuted, prune
from spcompile.pruning.influence import influence

MOBILENET, LITE = {"background": 1}, {"shift": 127, "scale": 128}
SCORED = {  # labelled samples: the loader's name, its options, and how many of the first to pass over because they calibrate
    "resnet20": ("cifar10", {}, 0),
    "resnet56": ("cifar10", {}, 0),
    "dscnn": ("kws", {}, 200),
    "mobilenet_v1": ("imagenet", MOBILENET, 0),
    "mobilenet_v2": ("imagenet", MOBILENET, 0),
    "efficientnet_lite0": ("imagenet", LITE, 0),
}


def random_plan(layers, rng: np.random.Generator) -> dict[str, Choice]:
    highest, plan = rng.uniform(0.3, 0.85), {}
    for layer in layers:
        fitting = [pattern for pattern in GENERAL if pattern.fixed_sparsity != 0 and pattern.fits(layer)]
        if not fitting or rng.random() < 0.25:
            continue
        pattern = fitting[rng.integers(len(fitting))]
        options = [Choice(pattern, level) for level in pattern.sparsities(layer) if level <= highest]
        if options:
            plan[layer.name] = options[rng.integers(len(options))]
    return plan


def labelled(name: str, count: int) -> tuple[np.ndarray, np.ndarray]:
    loader, options, passed = SCORED[name]
    x, labels = zip(*itertools.islice(getattr(assets_module(), loader)(**options), passed, passed + count), strict=True)
    return np.concatenate(x), np.array(labels)


def outputs(model, x: np.ndarray) -> np.ndarray:
    session = Session(model)
    return np.concatenate([next(iter(batch.values())) for batch in session.batches({model.graph.inputs[0].name: x})]).reshape(len(x), -1)


def judge(name: str, plans: int, samples: int, scored: int) -> None:
    from scipy.stats import spearmanr

    network = networks()[name]
    dense_model = network.prepared()
    calibration = calibration_from(network.calibration(samples), dense_model)
    model = permuted(dense_model, GENERAL, calibration)
    layers = find_layers(model)
    started = time.perf_counter()
    counts, calibration = influence(model, calibration)
    errors = measure_errors(model, calibration, rows=counts)
    print(f"{name}: error table in {time.perf_counter() - started:.0f} s, {samples} calibration samples", flush=True)
    x, labels = labelled(name, scored)
    dense, rng, rows = outputs(model, x), np.random.default_rng(0), []
    for number in range(plans):
        plan = random_plan(layers, rng)
        sparse = outputs(prune(model, plan, calibration, rows=counts).model, x)
        predicted = sum(errors.error(layer, plan[layer.name]) for layer in layers if layer.name in plan)
        true = ((sparse - dense) ** 2).sum() / ((dense - dense.mean(axis=0)) ** 2).sum()
        changed = (dense.argmax(1) != sparse.argmax(1)).mean()
        lost = (dense.argmax(1) == labels).mean() - (sparse.argmax(1) == labels).mean()
        rows.append((predicted, true, changed, lost))
        print(f"  plan {number}: predicted {predicted:.4f}, true {true:.4f}, answers changed {changed:.2%}, accuracy lost {lost:.2%}", flush=True)
    predicted, *truths = zip(*rows, strict=True)
    found = (spearmanr(predicted, truth)[0] for truth in truths)
    words = ("the true error", "answers changed", "accuracy lost")
    told = ", ".join(f"{rank:.3f} with {word}" for rank, word in zip(found, words, strict=True))
    print(f"{name}: Spearman {told}, {plans} plans", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", type=names_among(SCORED), default=",".join(SCORED))
    parser.add_argument("--plans", type=int, default=40)
    parser.add_argument("--samples", type=int, default=64)
    parser.add_argument("--scored", type=int, default=300)
    args = parser.parse_args()
    for name in args.only:
        judge(name, args.plans, args.samples, args.scored)


if __name__ == "__main__":
    main()
