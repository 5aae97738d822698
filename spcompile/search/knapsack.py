"""One option per layer: least total error within the budget, exactly.

Dynamic programming over the layers, each state a (cost, error) that no other state beats, pruned by Lagrangian bounds
(Pisinger 1995, "A minimal algorithm for the multiple-choice knapsack problem"). Costs are never rounded.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from spcompile.search.relaxation import ROUNDING, Fronts, front, within

WIDTHS = (256, 1 << 14)  # states kept: first a rough pass for a good plan to prune with, then more than real networks have ever needed


def solve(items: Sequence[Sequence[tuple[float, float]]], budget_s: float) -> tuple[int, ...] | None:
    """items: per layer its options as (cost_s, error), both >= 0 -> index of one option per layer, or None if even the cheapest do not fit.

    Least total error with total cost <= budget_s; among equal errors the least cost. Should more than WIDTHS[-1] states ever be needed
    (many layers that trade time for error at one and the same rate), the plan is still at least as good as the best one for a budget
    smaller by len(items) / WIDTHS[-1].
    """
    fronts = Fronts.of(items)
    if not within(fronts.totals(fronts.cheapest)[1], budget_s):
        return None
    plan, price = fronts.greedy(budget_s)
    for width in WIDTHS if price else ():  # where every step fits, the plan has the least error there is
        found, complete = _Core.around(plan, price, fronts, budget_s).walk(width)
        plan = min(plan, found, key=fronts.totals) if found else plan
        if complete:
            break
    return fronts.indices(plan)


@dataclass(frozen=True)
class _Core:
    """The options that can still be part of a plan as good as a known one. A sum is priced as error + price * cost."""

    options: list[np.ndarray]  # per item, positions in its front
    costs: list[np.ndarray]
    errors: list[np.ndarray]
    price: float  # error per second
    budget_s: float
    limit: float  # no plan whose priced sum exceeds this is as good as the known one

    @classmethod
    def around(cls, plan: list[int], price: float, fronts: Fronts, budget_s: float) -> "_Core":
        """Drops every option that lifts the least possible priced sum over what the known plan allows."""
        priced = [error + price * cost for cost, error in zip(fronts.costs, fronts.errors, strict=True)]
        floor = sum(float(values.min()) for values in priced)
        limit = fronts.totals(plan)[0] + price * budget_s
        limit += ROUNDING * (limit + floor)
        kept = [np.flatnonzero(floor - values.min() + values <= limit) for values in priced]
        costs, errors = ([values[positions] for values, positions in zip(table, kept, strict=True)] for table in (fronts.costs, fronts.errors))
        return cls(kept, costs, errors, price, budget_s, limit)

    def walk(self, width: int) -> tuple[list[int] | None, bool]:
        """-> the best plan found, if any, and whether no state was given up for width's sake."""
        states, complete, trail = (np.zeros(1), np.zeros(1)), True, []
        order = sorted(range(len(self.options)), key=lambda item: len(self.options[item]))
        for done, item in enumerate(order):
            cost, error = (np.add.outer(sums, values[item]).ravel() for sums, values in zip(states, (self.costs, self.errors), strict=True))
            alive = self._hopeful(cost, error, order[done + 1 :])
            if not len(alive):
                return None, complete
            if len(alive) > width:
                alive, complete = alive[_thinned(cost[alive], width)], False
            trail.append((alive // len(self.options[item]), self.options[item][alive % len(self.options[item])]))
            states = cost[alive], error[alive]
        return _trace(order, trail), complete

    def _hopeful(self, cost: np.ndarray, error: np.ndarray, rest: list[int]) -> np.ndarray:
        """The front of the states that the rest's cheapest options keep within the budget, and its best priced ones within the limit."""
        rest_cost = sum(float(self.costs[item].min()) for item in rest)
        rest_priced = sum(float((self.errors[item] + self.price * self.costs[item]).min()) for item in rest)
        alive = np.flatnonzero(within(cost + rest_cost, self.budget_s) & (error + self.price * cost + rest_priced <= self.limit))
        return alive[front(cost[alive], error[alive])] if len(alive) else alive


def _trace(order: list[int], trail: list[tuple[np.ndarray, np.ndarray]]) -> list[int]:
    """Back from the last state, the one of least error: the states are a front. trail: per step, each state's parent and option."""
    plan, state = [0] * len(order), -1
    for item, (parents, options) in zip(reversed(order), reversed(trail), strict=True):
        plan[item], state = int(options[state]), int(parents[state])
    return plan


def _thinned(costs: np.ndarray, width: int) -> np.ndarray:
    """Ascending costs of a front -> positions: of each of `width` equal cells of cost the last state, which has the cell's least error."""
    cells = ((costs - costs[0]) * (width / (costs[-1] - costs[0]))).astype(np.int64)
    return np.flatnonzero(np.concatenate([cells[1:] != cells[:-1], [True]]))
