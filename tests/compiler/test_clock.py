"""What is timed, and the search by the clock; the clock itself is made up."""

from types import SimpleNamespace

import numpy as np
import pytest

from spcompile.compiler import clock
from spcompile.compiler.building import Host
from spcompile.compiler.clock import STAND_IN, filled
from spcompile.compiler.planning import problem_of
from spcompile.ir.layers import find_layers, weight
from spcompile.lowering.lower import lower
from spcompile.lowering.predict import Predictor
from spcompile.patterns import PATTERNS
from spcompile.progress import Silent
from spcompile.report.facts import LEAST_NOISE
from spcompile.runtime.measure import Sample
from spcompile.search import choose
from spcompile.targets import load_target
from tests.compiler.test_trust import PROBLEM
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
    monkeypatch.setattr("spcompile.compiler.clock.measure", lambda calls, seconds: {name: type("Timed", (), {"fastest_s": 3 * predicted_s}) for name in calls})
    assert host.anchored(problem)[0].dense_s == pytest.approx(3 * problem.dense_s, rel=0.02)


BUDGET_S = PROBLEM.dense_s / 1.5


@pytest.fixture
def searched(monkeypatch):
    """searched(stand_in, final) -> the plan, with networks that take so many times what was predicted: with masks by magnitude, with final weights."""

    def search(stand_in: float, final: float, budget_s: float = BUDGET_S):
        def predicted_s(choices) -> float:
            return PROBLEM.fixed.expected_s + sum(
                next(o.latency.expected_s for o in entry.options if o.choice == choices.get(entry.layer.name, entry.dense.choice)) for entry in PROBLEM.layers
            )

        monkeypatch.setattr(clock, "prune", lambda model, choices, *_: SimpleNamespace(model=(stand_in, choices)))
        monkeypatch.setattr(Host, "_share_of_dense", lambda self, model, progress: model[0] * predicted_s(model[1]) / PROBLEM.dense_s)
        return Host(load_target("host"), 1, None).search(PROBLEM, budget_s, lambda plan: (final, plan.pruned), Silent())

    return search


@pytest.mark.parametrize(("stand_in", "final"), [(1.0, 1.0), (1.2, 1.2), (0.8, 0.8), (1.0, 1.1), (1.1, 1.0)])
def test_the_plan_keeps_the_budget_by_the_clock(searched, stand_in, final):
    plan = searched(stand_in, final)
    assert plan.feasible and plan.budget_s == BUDGET_S
    assert final * plan.latency.expected_s <= BUDGET_S


def test_time_that_the_clock_leaves_is_used(searched):
    assert searched(0.8, 0.8).error < choose(PROBLEM, BUDGET_S).error < searched(1.2, 1.2).error


def test_the_clock_s_verdict_allows_for_noise(searched):
    least_s = choose(PROBLEM, 1e-9).latency.expected_s
    assert searched(1.0, 1.0, least_s / (0.999 + LEAST_NOISE)).feasible
    assert not searched(1.0, 1.0, least_s / (1.001 + LEAST_NOISE)).feasible


def test_a_plan_that_is_the_dense_program_takes_its_time(monkeypatch, tmp_path):
    """Noise would make it slower by chance, and a search prune where there is nothing to gain."""
    host = Host(load_target("host"), 1, network())
    if not host.verdict:
        pytest.skip(host.verdict.reason)
    monkeypatch.setattr(clock, "measure", lambda calls, seconds: {name: Sample((time_s,) * 3) for name, time_s in zip(calls, (1.0, 1.5), strict=False)})
    assert host.compare(host.built(network(), tmp_path)).speedup == 1
    assert host.compare(host.built(network(zeros=0.7), tmp_path)).speedup == 1 / 1.5


def test_what_the_clock_never_allows_is_infeasible(searched):
    assert not searched(1.0, 1.0, PROBLEM.dense_s / 1000).feasible
    assert not searched(1.0, 3.0).feasible, "confirmed three times, over the budget each time"
