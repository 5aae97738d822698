"""What every pruner promises, whatever the pattern."""

from dataclasses import replace

import numpy as np
import pytest

from spcompile.errors import DataError
from spcompile.ir.layer import Layer
from spcompile.ir.layers import find_layers, weight
from spcompile.patterns import GENERAL, PATTERNS, Choice, Pattern
from spcompile.pruning import PRUNERS, Calibration, Evidence, LeastSquares, Pruner, calibration_from, prune
from tests.pruning.samples import images, network

LEVEL = 0.5
OFFERED = (*GENERAL, *PATTERNS[len(GENERAL) :: 3])  # those for arrays differ by their numbers only: every third stands for its neighbours
CHOICES = tuple(Choice(pattern, LEVEL if pattern.fixed_sparsity is None else pattern.fixed_sparsity) for pattern in OFFERED)
LAYERS = {
    "linear": Layer("linear", "MatMul", "w", "b", "x", "y", 32, 160, 1, transposed=True),
    "grouped": Layer("grouped", "Conv", "w", "b", "x", "y", 32, 128, 1, 2, (2, 2)),
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
    verdict = pruner.can(choice.pattern)
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


def _poor(kind: str, layer: Layer) -> Evidence:
    """What calibration data that is not up to it leaves of the moments."""
    good, rng = evidence(layer), np.random.default_rng(5)
    seen = {"one position": 1, "three positions": 3}.get(kind, layer.columns)
    inputs = rng.standard_normal((layer.groups, layer.columns, seen))
    if kind == "one group silent":
        inputs[0] = 0
    if kind == "a constant":
        inputs[:] = 3.0  # of a layer without bias; with one, centring leaves nothing
    scale = {"nothing": 0.0, "very large": 1e15, "very small": 1e-15}.get(kind, 1.0)
    gram = scale * (inputs @ inputs.transpose(0, 2, 1)) / seen
    return replace(good, gram=gram, cross=gram, fisher=own_fisher(layer, gram))


@pytest.mark.parametrize("kind", ["one position", "three positions", "a constant", "nothing", "one group silent", "very large", "very small"])
def test_poor_data_give_a_proper_mask_and_finite_weights(pruner, choice, kind):
    """Ill-conditioned and singular moments: damping holds weights near the dense ones where data say nothing."""
    known = _poor(kind, LAYERS["grouped"])
    mask = _ask(pruner, known, choice)
    assert choice.pattern.check(mask) and abs((~mask).mean() - choice.sparsity) < 0.01
    new = pruner.solver.solve(known, mask)
    assert np.isfinite(new).all() and not new[~mask].any()
    assert np.abs(new).max() < 100 * np.abs(known.weight).max()


@pytest.mark.parametrize("count", [1, 2])
def test_few_samples_are_reported(pruner, count):
    model, x = network(), images(count)[:, :, :4, :4].repeat(3, 2).repeat(3, 3)
    half = {layer.name: Choice(_pattern("unstructured"), 0.5) for layer in find_layers(model) if _pattern("unstructured").fits(layer)}
    pruned = prune(model, half, calibration_from(x, model), pruner)
    assert all(abs((~mask).mean() - 0.5) < 0.01 for mask in pruned.masks.values())
    assert all(np.isfinite(weight(pruned.model, layer)).all() for layer in find_layers(pruned.model))
    assert [note for note in pruned.notes if note.startswith("too few calibration samples: ") and "head" in note] or not pruner.needs_data


@pytest.mark.parametrize("value", [0.0, 0.7])
def test_constant_inputs_are_survived_and_reported(pruner, value):
    model = network()
    constant = np.full_like(images(8), value)
    half = {layer.name: Choice(_pattern("unstructured"), 0.5) for layer in find_layers(model) if _pattern("unstructured").fits(layer)}
    pruned = prune(model, half, calibration_from(constant, model), pruner)
    assert all(abs((~mask).mean() - 0.5) < 0.01 for mask in pruned.masks.values())
    assert all(np.isfinite(weight(pruned.model, layer)).all() for layer in find_layers(pruned.model))
    assert "every calibration sample for input 'image' is the same" in " ".join(pruned.notes) or not pruner.needs_data


def test_nan_in_the_data_is_an_error_or_never_read(pruner):
    """`calibration_from` refuses it; data from elsewhere are refused by the first layer that they reach."""
    model = network()
    poisoned = images()
    poisoned[3, 1, 5, 5] = np.nan
    half = {"point": Choice(_pattern("unstructured"), 0.5)}
    with pytest.raises(DataError, match="holds NaN"):
        calibration_from(poisoned, model)
    if pruner.needs_data:
        with pytest.raises(DataError, match=r"NaN|not finite") as caught:
            prune(model, half, Calibration({"image": poisoned}, "poisoned"), pruner)
        assert "\n" not in str(caught.value)
    else:
        found, without = (prune(model, half, data, pruner) for data in (Calibration({"image": poisoned}, "poisoned"), None))
        assert np.array_equal(found.masks["point"], without.masks["point"])


def _pattern(notation: str) -> Pattern:
    return next(pattern for pattern in PATTERNS if pattern.notation == notation)
