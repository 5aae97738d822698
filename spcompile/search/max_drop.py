"""The fastest plan within an accuracy loss: budgets are bisected, every verdict is a measured accuracy.

Accuracy jumps: on 650 images plans that differ by 2 % of time differ by a point either way, and the loss grows slowly at first (docs/accuracy-experiments.md).
A narrow miss is therefore no reason to turn away from everything faster.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

from spcompile.budget import SAME_SCORE
from spcompile.plan import Plan
from spcompile.search.candidates import Problem
from spcompile.search.choose import choose

EVALUATIONS = 12  # 7 halve a range of 4x down to 1 %; the others look beyond narrow misses
SETTLED = 1.01  # budgets closer than this factor are as good as one
NARROW = 0.01  # of accuracy: what several hundred samples tell apart


@dataclass(frozen=True)
class Trial:
    """A plan and the accuracy it was seen to have."""

    plan: Plan
    accuracy: float

    @property
    def latency_s(self) -> float:
        return self.plan.latency.expected_s


@dataclass
class Bracket:
    """Budgets still worth a trial: faster than the best plan, slower than every clear miss; in between lie narrow misses."""

    low_s: float
    high_s: float
    narrow: list[tuple[float, float]]  # each a plan's latency, and the budget up to which the search gives that plan

    def widest(self) -> tuple[float, float]:
        """The widest gap, by ratio; of equal ones the slowest."""
        spans = sorted((span for span in self.narrow if self.low_s < span[1] < self.high_s), reverse=True)
        starts, ends = [*(budget_s for _, budget_s in spans), self.low_s], [self.high_s, *(latency_s for latency_s, _ in spans)]
        return max(zip(starts, ends, strict=True), key=lambda gap: gap[1] / gap[0])

    def saw(self, trial: Trial, budget_s: float, floor: float) -> None:
        """What the plan for that budget tells. Misses slower than a plan that keeps the accuracy tell nothing."""
        if trial.accuracy >= floor:
            self.high_s = min(self.high_s, trial.latency_s)
        elif trial.latency_s < self.high_s and trial.accuracy < floor - NARROW:
            self.low_s = max(self.low_s, budget_s)
        elif trial.latency_s < self.high_s:
            self.narrow.append((trial.latency_s, budget_s))


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
    best = min((trial for trial in seen if trial.accuracy >= floor), key=lambda trial: trial.latency_s, default=Trial(choose(problem, None), dense_accuracy))
    bracket = Bracket(max(least_s, _fastest_s(problem)), best.latency_s, [])
    for trial in seen:
        bracket.saw(trial, trial.latency_s, floor)
    while len(trials) < evaluations + len(seen):
        start_s, end_s = bracket.widest()
        if end_s <= start_s * SETTLED:
            break
        budget_s = (start_s * end_s) ** 0.5
        plan = replace(choose(problem, budget_s), budget_s=None)
        trial = next((made for made in trials if made.plan.choices == plan.choices), None)
        if trial is None:
            trial = Trial(plan, accuracy(plan))
            trials.append(trial)
        bracket.saw(trial, budget_s, floor)
        if trial.accuracy >= floor:
            best = trial
    return best, tuple(trials)


def _fastest_s(problem: Problem) -> float:
    return problem.fixed.expected_s + sum(min(cost_s for cost_s, _ in table) for table in problem.tables)
