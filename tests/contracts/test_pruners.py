"""What every pruner promises, whatever the pattern."""

import numpy as np
import pytest

from spcompile.ir.layer import Layer
from spcompile.patterns import PATTERNS, Choice, Pattern
from spcompile.pruning import PRUNERS, Evidence, LeastSquares, Pruner

LEVEL = 0.5
CHOICES = tuple(Choice(pattern, LEVEL if pattern.fixed_sparsity is None else pattern.fixed_sparsity) for pattern in PATTERNS)
LAYERS = {
    "linear": Layer("linear", "MatMul", "w", "b", "x", "y", 32, 160, 1, transposed=True),
    "grouped": Layer("grouped", "Conv", "w", "b", "x", "y", 32, 72, 1, 2, (3, 3)),
}


def evidence(layer: Layer, zeros: float = 0.0, directions: float = 0.5) -> Evidence:
    rng = np.random.default_rng(3)
    scale = np.exp(rng.standard_normal((layer.groups, layer.columns, 1)))  # as in real networks: inputs of very different power, few directions carry most
    factor = scale * rng.standard_normal((layer.groups, layer.columns, int(directions * layer.columns)))
    gram = factor @ factor.transpose(0, 2, 1) + 0.1 * np.eye(layer.columns)
    weight = (rng.standard_normal((layer.rows, layer.columns)) * (rng.random((layer.rows, layer.columns)) >= zeros)).astype(np.float32)
    means = np.zeros((layer.groups, layer.columns))
    return Evidence(layer, weight, gram, gram, means, means, own_fisher(layer, gram))


def own_fisher(layer: Layer, gram: np.ndarray) -> np.ndarray:
    """Of a network that ends with this layer: a weight's information is the power of its input."""
    return np.repeat(np.diagonal(gram, axis1=1, axis2=2), layer.rows // layer.groups, axis=0)


def harm(known: Evidence, weight: np.ndarray) -> float:
    lost = (known.weight - weight).reshape(known.grouped_weight.shape).astype(np.float64)
    return float(((lost @ known.gram) * lost).sum())


@pytest.fixture(params=PRUNERS, ids=lambda pruner: pruner.name)
def pruner(request) -> Pruner:
    return request.param


@pytest.fixture(params=CHOICES, ids=lambda choice: choice.notation)
def choice(request) -> Choice:
    return request.param


@pytest.fixture(params=LAYERS)
def known(request) -> Evidence:
    return evidence(LAYERS[request.param])


def _ask(pruner: Pruner, known: Evidence, choice: Choice) -> np.ndarray:
    verdict = pruner.can(choice)
    if not verdict:
        assert choice.pattern.notation in verdict.reason, "a refusal names the pattern"
        pytest.skip(verdict.reason)
    return pruner.mask(known, choice)


def test_masks_obey_the_pattern_at_its_level(pruner, choice, known):
    assert choice.pattern.fits(known.layer)
    mask = _ask(pruner, known, choice)
    assert mask.dtype == bool and mask.shape == known.weight.shape
    assert choice.pattern.check(mask), choice.pattern.check(mask).reason
    assert abs((~mask).mean() - choice.sparsity) < 0.01


def test_the_same_question_has_the_same_answer(pruner, choice, known):
    assert np.array_equal(_ask(pruner, known, choice), _ask(pruner, known, choice))


def test_evidence_is_left_alone(pruner, choice, known):
    arrays = {name: getattr(known, name).copy() for name in ("weight", "gram", "cross", "fisher")}
    pruner.solver.solve(known, _ask(pruner, known, choice))
    assert all(np.array_equal(getattr(known, name), array) for name, array in arrays.items())


def test_zeros_that_are_there_go_first(pruner):
    known = evidence(LAYERS["linear"], zeros=0.6)
    mask = pruner.mask(known, Choice(_pattern("unstructured"), 0.5))
    blocks = 160 * 32 // (128 * 32)  # sparsegpt settles blocks of columns, each at the same level: zeros may run out in one of them
    assert (known.weight[~mask] != 0).mean() <= 0.01 * blocks


def test_weights_are_zero_outside_the_mask_and_finite(pruner, choice, known):
    mask = _ask(pruner, known, choice)
    weight = pruner.solver.solve(known, mask)
    assert weight.dtype == np.float32 and not weight[~mask].any() and np.isfinite(weight).all()


@pytest.mark.parametrize("data_driven", [pruner for pruner in PRUNERS if pruner.needs_data], ids=lambda pruner: pruner.name)
def test_data_pay_off(data_driven, choice, known):
    """With the same exact update, a mask chosen by data does no more harm than the one by magnitude."""
    if choice.sparsity == 0:
        pytest.skip("nothing is chosen")
    solver = LeastSquares()
    blind = solver.solve(known, PRUNERS[0].mask(known, choice))
    seen = solver.solve(known, _ask(data_driven, known, choice))
    assert harm(known, seen) <= harm(known, blind)


def _pattern(notation: str) -> Pattern:
    return next(pattern for pattern in PATTERNS if pattern.notation == notation)
