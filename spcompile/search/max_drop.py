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
    seen: tuple[Trial, ...] = (),
    least_s: float = 0.0,
) -> tuple[Trial, tuple[Trial, ...]]:
    """-> the fastest plan seen to keep dense_accuracy - max_drop, and every trial in the order made.

    accuracy: prunes a plan and scores it, expensive; asked at most `evaluations` times, never twice for the same choices. Accuracies and
    `max_drop` are shares: 0.01 is one per cent point. seen: trials made before, from which it goes on. least_s: nothing faster is tried. More speed
    usually costs accuracy and the bisection leans on that; the answer does not: it is the fastest among those seen, or the one of no harm at all.
    """
    floor, trials = dense_accuracy - max_drop - SAME_SCORE, list(seen)
    kept = [trial for trial in seen if trial.accuracy >= floor]
    best = min(kept, key=_latency_s) if kept else Trial(choose(problem, None), dense_accuracy)
    high_s = _latency_s(best)
    low_s = max(least_s, _fastest_s(problem), *(_latency_s(trial) for trial in seen if trial.accuracy < floor and _latency_s(trial) < high_s))
    while len(trials) < evaluations + len(seen) and high_s > low_s * SETTLED:
        budget_s = (low_s * high_s) ** 0.5
        plan = replace(choose(problem, budget_s), budget_s=None)
        trial = next((made for made in trials if made.plan.choices == plan.choices), None)
        if trial is None:
            trial = Trial(plan, accuracy(plan))
            trials.append(trial)
        if trial.accuracy >= floor:
            best, high_s = trial, _latency_s(trial)
        else:
            low_s = budget_s
    return best, tuple(trials)


def _latency_s(trial: Trial) -> float:
    return trial.plan.latency.expected_s


def _fastest_s(problem: Problem) -> float:
    return problem.fixed.expected_s + sum(min(cost_s for cost_s, _ in layer.table) for layer in problem.layers)
