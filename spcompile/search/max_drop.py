"""The fastest plan within an accuracy loss: budgets are bisected, every verdict is a measured accuracy."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from spcompile.plan import Plan
from spcompile.search.candidates import Problem
from spcompile.search.choose import choose

EVALUATIONS = 8  # halvings of the range between fastest and dense, in its logarithm: a range of 10x is settled to 1 %
SETTLED = 1.001  # budgets closer than this factor are not told apart by any measurement
SAME_SCORE = 1e-9  # accuracies closer than this are the same count of right answers


@dataclass(frozen=True)
class Trial:
    """A plan and the accuracy it was seen to have."""

    plan: Plan
    accuracy: float


def fastest_within(
    problem: Problem,
    accuracy: Callable[[Plan], float],
    dense_accuracy: float,
    max_drop: float,
    evaluations: int = EVALUATIONS,
    known: Trial | None = None,
    least_s: float = 0.0,
) -> tuple[Trial, tuple[Trial, ...]]:
    """-> the fastest plan seen to keep dense_accuracy - max_drop, and every trial in the order made.

    accuracy: prunes a plan and scores it, expensive; asked at most `evaluations` times, never twice for the same choices. Accuracies and
    `max_drop` are shares: 0.01 is one per cent point. known: a plan that keeps the accuracy, to start from; the one of no harm at all unless given.
    least_s: nothing faster is tried. More speed usually costs accuracy and the bisection leans on that; the answer does not: it is the fastest among
    those tried and `known`.
    """
    best = known or Trial(choose(problem, None), dense_accuracy)
    floor = dense_accuracy - max_drop - SAME_SCORE
    assert best.accuracy >= floor, best.accuracy
    low_s, high_s, trials = max(least_s, _fastest_s(problem)), best.plan.latency.expected_s, []
    while len(trials) < evaluations and high_s > low_s * SETTLED:
        budget_s = (low_s * high_s) ** 0.5
        plan = replace(choose(problem, budget_s), budget_s=None)
        trial = next((made for made in trials if made.plan.choices == plan.choices), None)
        if trial is None:
            trial = Trial(plan, accuracy(plan))
            trials.append(trial)
        if trial.accuracy >= floor:
            best, high_s = trial, plan.latency.expected_s
        else:
            low_s = budget_s
    return best, tuple(trials)


def _fastest_s(problem: Problem) -> float:
    return problem.fixed.expected_s + sum(min(cost_s for cost_s, _ in layer.table) for layer in problem.layers)
