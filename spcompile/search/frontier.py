"""Latency against error over all budgets: plans that are optimal for the time they take."""

from collections.abc import Sequence

import numpy as np

from spcompile.search.relaxation import Fronts


def frontier(items: Sequence[Sequence[tuple[float, float]]], points: int = 40) -> list[tuple[float, float]]:
    """items as for `knapsack.solve` -> at most `points` (total cost_s, total error), ascending in cost, from the fastest plan to the least harmful.

    Each is a real plan on the convex hull of all plans: no plan as fast has less error. Between two of them better plans than their
    connecting line do not exist.
    """
    assert points >= 2, points
    fronts = Fronts.of(items)
    plan = fronts.cheapest
    curve = [fronts.totals(plan)[::-1]]
    for step in fronts.steps():
        plan[step.item] = step.option
        curve.append(fronts.totals(plan)[::-1])
    return _spread(curve, points)


def _spread(curve: list[tuple[float, float]], points: int) -> list[tuple[float, float]]:
    """Those nearest to `points` evenly spaced costs; both ends always."""
    along = np.array([cost for cost, _ in curve])
    wanted = np.linspace(along[0], along[-1], points)
    nearest = np.abs(along[:, None] - wanted).argmin(axis=0)
    return [curve[index] for index in sorted({*nearest.tolist(), len(curve) - 1})]
