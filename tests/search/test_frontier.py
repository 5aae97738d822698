import pytest

from spcompile.search import frontier
from spcompile.search.knapsack import solve


def test_from_the_fastest_plan_to_the_least_harmful_one(tables):
    items = tables(54, 54, seed=0)
    curve = frontier(items, points=25)
    assert 20 <= len(curve) <= 26
    assert curve[0][0] == pytest.approx(sum(min(cost for cost, _ in item) for item in items))
    assert curve[-1][1] == 0
    costs, errors = zip(*curve, strict=True)
    assert list(costs) == sorted(costs) and list(errors) == sorted(errors, reverse=True)


def test_every_point_is_the_best_plan_for_its_own_time(tables):
    items = tables(20, 5, seed=2)
    for cost, error in frontier(items, points=6):
        best = solve(items, cost)
        assert error == pytest.approx(sum(item[option][1] for item, option in zip(items, best, strict=True)), rel=1e-9, abs=1e-12)


def test_one_option_is_one_point():
    assert frontier([[(2.0, 0.0)], [(1.0, 0.0)]]) == [(3.0, 0.0)]
