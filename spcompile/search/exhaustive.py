"""Every plan, one after another: the oracle the knapsack is tested against."""

from collections.abc import Sequence
from itertools import product
from math import fsum

from spcompile.search.relaxation import within


def solve(items: Sequence[Sequence[tuple[float, float]]], budget_s: float) -> tuple[int, ...] | None:
    """As `knapsack.solve`, for a handful of layers with a handful of options."""
    best, answer = (float("inf"), float("inf")), None
    for plan in product(*(range(len(item)) for item in items)):
        chosen = [item[option] for item, option in zip(items, plan, strict=True)]
        total = (fsum(error for _, error in chosen), fsum(cost for cost, _ in chosen))
        if within(total[1], budget_s) and total < best:
            best, answer = total, plan
    return answer
