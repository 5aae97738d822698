"""Predicted harm: curves against real pruning, sums against whole plans."""

import numpy as np
import pytest
from scipy.stats import spearmanr

from spcompile.ir.layers import find_layers, weight
from spcompile.ir.session import run
from spcompile.passes import prepare
from spcompile.patterns import PATTERNS, Choice, parse, parse_choice
from spcompile.pruning import Admm, calibration_from, measure_errors, prune
from spcompile.pruning.curves import SAMPLED_ROWS, Curve, curves
from spcompile.pruning.evidence import Evidence
from tests.contracts.test_pruners import LAYERS, evidence
from tests.pruning.samples import images, network


@pytest.fixture(scope="module")
def measured():
    model = network()
    return model, measure_errors(model, calibration_from(images(64), model))


@pytest.mark.parametrize("layer", LAYERS.values(), ids=LAYERS)
def test_curves_foretell_what_pruning_does_to_the_layer(layer):
    """Each pattern's levels within a third of the error that the pruner itself leaves."""
    known = evidence(layer, directions=2)
    for pattern, curve in curves(known, known, PATTERNS, np.random.default_rng(0)).items():
        for level in curve.sparsities[1::3] or curve.sparsities:
            real = known.relative_error(Admm().solver.solve(known, Admm().mask(known, Choice(pattern, level))))
            assert real / 1.34 <= curve.at(level) <= 1.34 * real, (pattern.notation, level)


def test_a_sample_of_rows_stands_for_all(monkeypatch):
    rng = np.random.default_rng(0)
    small = LAYERS["linear"]
    tall = Evidence(
        type(small)("tall", "MatMul", "w", "b", "x", "y", 4 * SAMPLED_ROWS, 40, 1, transposed=True),
        rng.standard_normal((4 * SAMPLED_ROWS, 40)).astype(np.float32),
        *[(factor := rng.standard_normal((1, 40, 60))) @ factor.transpose(0, 2, 1)] * 2,
    )
    patterns = tuple(parse(notation) for notation in ("unstructured", "block4x1", "2:4"))
    sampled = curves(tall, tall, patterns, rng)
    monkeypatch.setattr("spcompile.pruning.curves.SAMPLED_ROWS", 10**9)
    for pattern, curve in curves(tall, tall, patterns, rng).items():
        np.testing.assert_allclose(sampled[pattern].errors, curve.errors, rtol=0.15, atol=1e-3)


def test_a_curve_between_and_below_its_levels():
    curve = Curve((0.4, 0.8), (0.01, 0.16))
    assert curve.at(0.4) == pytest.approx(0.01) and curve.at(0.8) == pytest.approx(0.16)
    assert curve.at(0.6) == pytest.approx(0.04), "the geometric mean half-way"
    assert curve.at(0.2) == pytest.approx(0.0025) and curve.at(0.0) == 0.0


def test_errors_grow_with_the_level_and_with_the_block(measured):
    model, model_of_errors = measured
    for layer in find_layers(model):
        for pattern in (pattern for pattern in PATTERNS if pattern.fits(layer)):
            found = [model_of_errors.error(layer, Choice(pattern, level)) for level in pattern.sparsities(layer)]
            assert found == sorted(found) and (found[0] > 0 or pattern.notation == "dense")
    point = next(layer for layer in find_layers(model) if layer.name == "point")
    by_block = [model_of_errors.error(point, parse_choice(f"{name}@0.5")) for name in ("unstructured", "block2x1", "block4x1", "block8x1")]
    assert by_block == sorted(by_block)


def test_predicted_and_true_harm_rank_plans_alike(measured):
    model, model_of_errors = measured
    calibration, x = calibration_from(images(64), model), images(64, seed=9)
    dense, rng = run(model, {"image": x})["scores"], np.random.default_rng(0)
    predicted, true = [], []
    for _ in range(24):
        plan = {}
        for layer in find_layers(model):
            options = [
                Choice(pattern, level) for pattern in PATTERNS if pattern.fits(layer) for level in pattern.sparsities(layer) if level <= rng.uniform(0.2, 0.9)
            ]
            plan[layer.name] = options[rng.integers(len(options))]
        sparse = run(prune(model, plan, calibration).model, {"image": x})["scores"]
        predicted.append(sum(model_of_errors.error(layer, plan[layer.name]) for layer in find_layers(model)))
        true.append(float(((sparse - dense) ** 2).sum()))
    assert spearmanr(predicted, true)[0] >= 0.85


def test_without_data_the_share_of_weight_that_is_lost():
    model = network()
    blind = measure_errors(model)
    layer = find_layers(model)[0]
    squares = np.sort(weight(model, layer).ravel() ** 2)
    assert blind.error(layer, parse_choice("unstructured@0.5")) == pytest.approx(squares[: len(squares) // 2].sum() / squares.sum(), rel=1e-3)


def test_only_the_patterns_asked_for_are_measured():
    model = network()
    found = measure_errors(model, calibration_from(images(), model), (parse("dense"), parse("2:4")))
    point = next(layer for layer in find_layers(model) if layer.name == "point")
    assert found.error(point, parse_choice("2:4")) > 0 == found.error(point, parse_choice("dense"))
    with pytest.raises(KeyError):
        found.error(point, parse_choice("block4x1@0.5"))


@pytest.mark.parametrize("spread", [0.02, 0.004])
def test_inputs_whose_spread_is_small_beside_their_mean(build, spread):
    """Of a sensor, say, and not normalised."""
    rng = np.random.default_rng(0)
    weights = {f"w{i}": rng.uniform(-0.09, 0.09, (64, 64)).astype(np.float32) * (0.05 if i == 0 else 1) for i in range(3)}
    biases = {f"b{i}": rng.uniform(-0.09, 0.09, 64).astype(np.float32) for i in range(3)}
    text = "g (float[1,64] x) => (float[1,64] y) { a = Gemm(x, w0, b0)  t = Tanh(a)  c = Gemm(t, w1, b1)  h = HardSwish(c)  y = Gemm(h, w2, b2) }"
    model, x = prepare(build(text, **weights, **biases)), (1 + spread * rng.standard_normal((500, 64))).astype(np.float32)
    found = measure_errors(model, calibration_from(x, model))
    for layer in find_layers(model):
        low, high = (found.error(layer, parse_choice(f"unstructured@{level}")) for level in (0.5, 0.9))
        assert 0 < low < high < np.inf
