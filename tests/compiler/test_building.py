"""What the host times."""

import numpy as np
import pytest

from spcompile.compiler.building import STAND_IN, Host, filled
from spcompile.compiler.planning import problem_of
from spcompile.ir.layers import find_layers, weight
from spcompile.lowering.lower import lower
from spcompile.lowering.predict import Predictor
from spcompile.patterns import PATTERNS
from spcompile.progress import Silent
from spcompile.targets import load_target
from tests.pruning.samples import network


def test_dense_is_what_it_would_be_if_nobody_used_the_zeros():
    model = network(zeros=0.7)
    for layer in find_layers(model):
        before, after = weight(model, layer), weight(filled(model), layer)
        assert after.all() and np.array_equal(after[before != 0], before[before != 0]) and (after[before == 0] == np.float32(STAND_IN)).all()


def test_a_network_without_zeros_is_as_it_was():
    model = network()
    assert all(np.array_equal(weight(model, layer), weight(filled(model), layer)) for layer in find_layers(model))


def test_predictions_are_scaled_by_what_they_foretell(monkeypatch):
    """Of a network that is sparse already, dense is predicted and dense is measured: here the clock shows the predictions, 3 times over."""
    target, model = load_target("host"), network(zeros=0.7)
    host = Host(target, 1, model)
    if not host.verdict:
        pytest.skip(host.verdict.reason)
    problem = problem_of(model, Predictor(lower(model, target, 1), target, 1), target, 1, PATTERNS, lambda layer, choice: choice.sparsity, Silent())
    predicted_s = Predictor(lower(filled(model), target, 1), target, 1).total.expected_s
    monkeypatch.setattr("spcompile.compiler.building.measure", lambda calls: {name: type("Timed", (), {"fastest_s": 3 * predicted_s}) for name in calls})
    assert host.anchored(problem)[0].dense_s == pytest.approx(3 * problem.dense_s, rel=0.02)
