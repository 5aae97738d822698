"""The knapsack with fractions allowed: its price of a second, its good plans, and the real plans on its curve."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

ROUNDING = 1e-12  # two orders of adding the same times differ by less than this share of the sum


def within(cost_s: float, budget_s: float) -> bool:
    """Does a sum of times hold the budget?"""
    return cost_s <= budget_s * (1 + ROUNDING)


@dataclass(frozen=True)
class Step:
    """One layer moves from an option to the next dearer one on its convex hull."""

    gain: float  # error saved per second spent
    item: int
    option: int  # position in the item's front


@dataclass(frozen=True)
class Fronts:
    """Per layer the options no other one beats in both cost and error, by ascending cost. A plan is one position per layer."""

    options: list[np.ndarray]  # per item: the front's indices into the item as it was given
    costs: list[np.ndarray]
    errors: list[np.ndarray]

    @classmethod
    def of(cls, items: Sequence[Sequence[tuple[float, float]]]) -> "Fronts":
        """items: per layer its options as (cost_s, error)."""
        tables = [np.asarray(item, float).reshape(-1, 2) for item in items]
        options = [front(table[:, 0], table[:, 1]) for table in tables]
        costs, errors = ([table[kept, column] for table, kept in zip(tables, options, strict=True)] for column in (0, 1))
        return cls(options, costs, errors)

    @property
    def cheapest(self) -> list[int]:
        """The fastest plan."""
        return [0] * len(self.options)

    def totals(self, plan: Sequence[int]) -> tuple[float, float]:
        """-> total error, total cost."""
        return tuple(float(sum(values[option] for values, option in zip(table, plan, strict=True))) for table in (self.errors, self.costs))

    def indices(self, plan: Sequence[int]) -> tuple[int, ...]:
        """A plan in the numbering of the items as they were given."""
        return tuple(int(options[position]) for options, position in zip(self.options, plan, strict=True))

    def steps(self) -> list[Step]:
        """All steps of all hulls, best gain first. Taken in this order from the cheapest plan they pass only through plans that are
        optimal for their own cost (Sinha & Zoltners 1979, "The multiple-choice knapsack problem", section 2)."""
        return sorted((step for item in range(len(self.options)) for step in self._climb(item)), key=lambda step: (-step.gain, step.item, step.option))

    def _climb(self, item: int) -> Iterator[Step]:
        """Gains fall from step to step, in floating point too: equal slopes must not change places in the sorting."""
        cost, error, gain = self.costs[item], self.errors[item], np.inf
        corners = hull(cost, error)
        for here, there in pairwise(corners):
            gain = min(gain, float((error[here] - error[there]) / (cost[there] - cost[here])))
            yield Step(gain, item, there)

    def greedy(self, budget_s: float) -> tuple[list[int], float]:
        """-> a plan within the budget, and the price: the gain of the first step that did not fit, 0 if all did. The cheapest plan must fit.

        Steps that do not fit are passed over.
        """
        plan, price = self.cheapest, 0.0
        spent = self.totals(plan)[1]
        for step in self.steps():
            rise = float(self.costs[step.item][step.option] - self.costs[step.item][plan[step.item]])
            if within(spent + rise, budget_s):
                plan[step.item], spent = step.option, spent + rise
            else:
                price = price or step.gain
        return plan, price


def front(costs: np.ndarray, errors: np.ndarray) -> np.ndarray:
    """Indices of the points no other one beats in both, by ascending cost; of equals the first."""
    order = np.lexsort((errors, costs))
    least = np.minimum.accumulate(errors[order])
    return order[np.concatenate([[True], least[1:] < least[:-1]])]


def hull(costs: np.ndarray, errors: np.ndarray) -> list[int]:
    """Corners of the lower convex hull of a front; both ends are corners."""
    corners: list[int] = []
    for point in range(len(costs)):
        while len(corners) > 1 and _on_or_above_line(costs[[*corners[-2:], point]], errors[[*corners[-2:], point]]):
            corners.pop()
        corners.append(point)
    return corners


def _on_or_above_line(costs: np.ndarray, errors: np.ndarray) -> bool:
    """Three points, ascending in cost: does the middle one lie on or above the line through the others?"""
    rise, run = errors - errors[0], costs - costs[0]
    return bool(rise[1] * run[2] >= rise[2] * run[1])
