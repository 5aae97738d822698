"""Layers that share a weight: one decision, weighed by what it does in all of them."""

import itertools

import pytest

from spcompile.ir.layer import Layer
from spcompile.patterns import PATTERNS
from spcompile.search import Problem, candidates, choose
from spcompile.search.candidates import fits
from spcompile.search.max_drop import fastest_within
from spcompile.search.relaxation import within
from spcompile.search.shared import agreed
from tests.search.conftest import error, exact, predict

HEAD = Layer("l2", "Conv", "w", None, "a", "c", 64, 64, 784)
FAR_HEAD = Layer("l3", "Conv", "w", None, "b", "d", 64, 64, 49)
ALONE = Layer("l1", "Conv", "v", None, "x", "a", 64, 32, 784)


def predicted(layer, choice):
    """2:4 gains nothing in the far head."""
    return predict(layer, choice) if choice.pattern.notation != "2:4" else exact(1.0 if layer is FAR_HEAD else layer.macs / 40e9)


@pytest.fixture
def problem():
    patterns = [pattern for pattern in PATTERNS if pattern.notation in ("dense", "2:4", "block4x1")]
    found = [candidates(layer, patterns, predicted, error, lambda *_: 0.0, fits) for layer in (HEAD, ALONE, FAR_HEAD)]
    return Problem("a made-up device", 1, agreed(found, [(0, 2)]), exact(1e-6), ((0, 2),))


def test_what_one_cannot_be_given_none_is(problem):
    head, alone, far = problem.layers
    assert [option.choice for option in head.options] == [option.choice for option in far.options]
    assert "2:4" not in {option.choice.notation for option in head.options} and "2:4" in {option.choice.notation for option in alone.options}
    (reason,) = (refusal.reason for refusal in head.refusals if refusal.pattern == "2:4")
    assert reason == "not all layers that share this weight (l3) can take it and gain by it"
    assert far.refusals[0].pattern == "2:4" and len(far.refusals) == 1  # it said so itself


def test_there_is_one_decision_for_both(problem):
    assert problem.decisions == ((0, 2), (1,)) and problem.spread((7, 3)) == (7, 3, 7)
    joint, alone = problem.tables
    assert alone == problem.layers[1].table
    assert joint == [(one[0] + two[0], one[1] + two[1]) for one, two in zip(problem.layers[0].table, problem.layers[2].table, strict=True)]


@pytest.mark.parametrize("share", [0.15, 0.3, 0.5, 0.8, 0.99])
def test_the_plan_is_the_best_of_all_that_give_both_the_same(problem, share):
    budget_s = share * problem.dense_s
    plan = choose(problem, budget_s)
    assert plan.layers[0].chosen.choice == plan.layers[2].chosen.choice
    assert plan.layers[0].why == plan.layers[2].why and plan.layers[0].why.endswith("; all 2 layers that share this weight together")
    seen = []
    for both, one in itertools.product(range(len(problem.layers[0].options)), range(len(problem.layers[1].options))):
        options = [problem.layers[0].options[both], problem.layers[1].options[one], problem.layers[2].options[both]]
        if within(problem.fixed.expected_s + sum(option.latency.expected_s for option in options), budget_s):
            seen.append(sum(option.error for option in options))
    assert plan.error == pytest.approx(min(seen))


def test_a_budget_that_nothing_holds_gives_both_the_fastest(problem):
    plan = choose(problem, 1e-9)
    assert not plan.feasible and plan.layers[0].chosen.choice == plan.layers[2].chosen.choice
    trial, _ = fastest_within(problem, lambda plan: 1.0, 1.0, 0.01)  # whatever is pruned, nothing is lost
    assert trial.latency_s <= plan.latency.expected_s * 1.02


def test_layers_that_differ_are_no_group(problem):
    with pytest.raises(AssertionError):
        Problem("a made-up device", 1, problem.layers, exact(1e-6), ((0, 1),))
