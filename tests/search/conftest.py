"""Made-up networks whose times and harms behave like real ones: sparser is faster and worse, each at its own rate."""

import numpy as np
import pytest

from spcompile.costs.latency import Latency
from spcompile.ir.layer import Layer
from spcompile.patterns import PATTERNS
from spcompile.search import Problem, candidates
from spcompile.search.candidates import fits


def exact(seconds: float) -> Latency:
    return Latency(seconds, seconds, seconds, "analytic")


def rows_of_tables(layers: int, kinds: int, seed: int, tick_s: float = 0.0) -> list[list[tuple[float, float]]]:
    """`layers` items of 73 options: dense, then 6 patterns x 12 levels. Layers of one kind have equal times, and harms of one shape."""
    rng, shapes = np.random.default_rng(seed), []
    for _ in range(kinds):
        dense_s, harm = rng.lognormal(-8, 1), rng.lognormal(-2, 2)
        shape = [(dense_s, 0.0)]
        for speed, penalty in zip(rng.uniform(0.25, 0.9, 6), rng.uniform(1, 6, 6), strict=True):
            for sparsity in np.linspace(0.3, 0.97, 12):
                shape.append((dense_s * (0.1 + (1 - sparsity) / speed), harm * penalty * sparsity**3 / (1.02 - sparsity)))
        shapes.append(shape)
    items = []
    for layer in range(layers):
        harm = rng.lognormal(0, 0.3)
        items.append([(round(cost / tick_s) * tick_s if tick_s else cost, error * harm) for cost, error in shapes[layer % kinds]])
    return items


@pytest.fixture(scope="session")
def tables():
    return rows_of_tables


SPEED = {"unstructured": 0.35, "block2x1": 0.55, "block4x1": 0.8, "block8x1": 0.9, "block16x1": 0.95, "channel": 1.0}
HARM = {"unstructured": 1.0, "block2x1": 1.3, "block4x1": 1.7, "block8x1": 2.2, "block16x1": 3.0, "channel": 8.0}


def predict(layer, choice):
    """40 GFLOP/s dense; a pattern's speed on what it keeps, and 2 % overhead."""
    dense_s = 2 * layer.macs / 40e9
    name = choice.pattern.notation
    return exact(dense_s if name == "dense" else dense_s * (0.02 + choice.density / SPEED.get(name, 0.3)))


def error(layer, choice):
    """Later layers are more sensitive."""
    return int(layer.name[1:]) * HARM.get(choice.pattern.notation, 1.4) * choice.sparsity**3 / (1.02 - choice.sparsity)


LAYERS = (
    Layer("l1", "Conv", "w1", None, "x", "a", 64, 9 * 16, 3136, kernel=(3, 3)),
    Layer("l2", "Conv", "w2", None, "a", "b", 64, 9, 3136, groups=64, kernel=(3, 3)),
    Layer("l3", "Conv", "w3", None, "b", "c", 128, 64, 784),
    Layer("l4", "Conv", "w4", None, "c", "d", 128, 128, 784),
    Layer("l5", "Gemm", "w5", None, "d", "y", 10, 128, 1),
)


@pytest.fixture(scope="session")
def problem():
    """Five layers, one of them depthwise, and 0.1 ms that nothing can change."""
    return Problem("a made-up device", 1, tuple(candidates(layer, PATTERNS, predict, error, lambda *_: 0.0, fits) for layer in LAYERS), exact(1e-4))
