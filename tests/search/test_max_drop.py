import math

import pytest

from spcompile.search import choose, fastest_within
from spcompile.search.max_drop import EVALUATIONS


class Evaluator:
    """Accuracy falls with the plan's predicted error, as told; counts how often it is asked."""

    def __init__(self, accuracy):
        self.accuracy, self.asked = accuracy, []

    def __call__(self, plan):
        assert plan.choices not in self.asked, "the same plan twice"
        self.asked.append(plan.choices)
        return self.accuracy(plan)


def test_the_fastest_plan_that_keeps_the_accuracy_is_found_within_a_percent(problem):
    evaluate = Evaluator(lambda plan: 0.9 - plan.error / 1000)
    best, trials = fastest_within(problem, evaluate, 0.9, max_drop=0.01)
    assert len(trials) == len(evaluate.asked) <= EVALUATIONS
    assert best.accuracy >= 0.89 and best in trials and best.plan.budget_s is None and best.plan.feasible
    faster = choose(problem, best.plan.latency.expected_s / 1.02)
    assert 0.9 - faster.error / 1000 < 0.89


def test_when_every_plan_loses_too_much_the_harmless_one_is_left(problem):
    best, trials = fastest_within(problem, Evaluator(lambda plan: 0.1), 0.9, max_drop=0.01)
    assert best.plan.error == 0 and best.accuracy == 0.9
    assert 0 < len(trials) <= EVALUATIONS and best not in trials


def test_when_every_plan_holds_the_fastest_is_approached(problem):
    best, _ = fastest_within(problem, Evaluator(lambda plan: 0.9), 0.9, max_drop=0.0)
    fastest_s = choose(problem, 1e-9).latency.expected_s
    assert best.plan.latency.expected_s <= 1.02 * fastest_s


def test_accuracy_that_is_not_monotone_still_gives_a_plan_that_was_seen_to_hold(problem):
    """A wild accuracy: only what was measured counts."""
    wild = Evaluator(lambda plan: 0.9 if int(plan.latency.expected_s * 1e7) % 2 else 0.5)
    best, trials = fastest_within(problem, wild, 0.9, max_drop=0.01)
    holding = [trial for trial in trials if trial.accuracy >= 0.89]
    assert best.accuracy >= 0.89
    if holding:
        assert best.plan.latency.expected_s == min(trial.plan.latency.expected_s for trial in holding)


def test_few_evaluations_are_respected(problem):
    _, trials = fastest_within(problem, Evaluator(lambda plan: 0.9 - plan.error), 0.9, max_drop=0.01, evaluations=3)
    assert len(trials) <= 3


def test_a_loss_of_exactly_the_allowed_count_of_images_is_allowed(problem):
    best, _ = fastest_within(problem, Evaluator(lambda plan: 907 / 1000), 917 / 1000, max_drop=0.01)
    assert best.accuracy == pytest.approx(0.907)


def test_it_goes_on_from_what_was_seen(problem):
    """The same accuracies with another limit: nothing is asked twice, and the bracket is that of the trials."""
    evaluate = Evaluator(lambda plan: 0.9 - plan.error / 1000)
    first, seen = fastest_within(problem, evaluate, 0.9, max_drop=0.002)
    bold, trials = fastest_within(problem, evaluate, 0.9, max_drop=0.02, evaluations=4, seen=seen)
    assert trials[: len(seen)] == seen and len(seen) < len(trials) <= len(seen) + 4
    assert bold.accuracy >= 0.88 and bold.plan.latency.expected_s <= first.plan.latency.expected_s
    again, _ = fastest_within(problem, evaluate, 0.9, max_drop=0.002, evaluations=0, seen=trials)
    assert again == first


def test_from_a_plan_that_is_known_only_faster_ones_are_tried_down_to_the_least(problem):
    first, _ = fastest_within(problem, Evaluator(lambda plan: 0.9 - plan.error / 1000), 0.9, max_drop=0.002)
    least_s = choose(problem, 1e-9).latency.expected_s * 1.2
    found, trials = fastest_within(problem, Evaluator(lambda plan: 0.9), 0.9, max_drop=0.002, evaluations=3, seen=(first,), least_s=least_s)
    assert len(trials) > 1 and all(trial.plan.latency.expected_s < first.plan.latency.expected_s for trial in trials[1:])
    assert found.plan.latency.expected_s <= 1.2 * least_s
    found, trials = fastest_within(problem, Evaluator(lambda plan: 0.1), 0.9, max_drop=0.002, evaluations=3, seen=(first,))
    assert found is first and len(trials) == 1 + 3


def test_a_narrow_miss_does_not_hide_faster_plans_that_keep_the_accuracy(problem):
    """A point is lost within a band of times, and nothing on its faster side until the accuracy falls for good."""
    dense_s, fastest_s = (choose(problem, limit).latency.expected_s for limit in (None, 1e-9))

    def speed(plan):
        """0 for dense, 1 for the fastest plan."""
        return math.log(dense_s / plan.latency.expected_s) / math.log(dense_s / fastest_s)

    def accuracy(plan):
        return 0.885 if 0.4 < speed(plan) < 0.6 else 0.9 if speed(plan) < 0.8 else 0.5

    best, _ = fastest_within(problem, Evaluator(accuracy), 0.9, max_drop=0.01)
    assert best.accuracy == 0.9 and speed(best.plan) > 0.7


def test_a_clear_miss_ends_the_search_on_its_faster_side(problem):
    missed = []

    def accuracy(plan):
        missed.append(plan.latency.expected_s)
        return 0.5

    fastest_within(problem, accuracy, 0.9, max_drop=0.01)
    assert missed == sorted(missed)
