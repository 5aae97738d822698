import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spcompile.search import exhaustive
from spcompile.search.relaxation import Fronts, front, hull

small = st.integers(0, 6).map(float)  # ties and points in line abound
points = st.lists(st.tuples(small, small), min_size=1, max_size=12)


@given(points)
def test_the_front_is_what_nothing_beats(options):
    costs, errors = np.array(options).T
    kept = front(costs, errors).tolist()
    expected = [
        index
        for index, (cost, error) in enumerate(options)
        if not any(
            other[0] <= cost and other[1] <= error and (other != (cost, error) or place < index) for place, other in enumerate(options) if place != index
        )
    ]
    assert sorted(kept) == expected
    assert (np.diff(costs[kept]) > 0).all() and (np.diff(errors[kept]) < 0).all()


@given(points)
def test_no_point_lies_below_the_hull(options):
    costs, errors = np.array(options).T
    kept = front(costs, errors)
    costs, errors = costs[kept], errors[kept]
    corners = hull(costs, errors)
    assert corners[0] == 0 and corners[-1] == len(costs) - 1
    assert (errors >= np.interp(costs, costs[corners], errors[corners]) - 1e-9).all()
    slopes = np.diff(errors[corners]) / np.diff(costs[corners])
    assert (np.diff(slopes) > 0).all()


@given(st.lists(points, min_size=1, max_size=4).filter(lambda items: all(len(item) <= 4 for item in items)))
def test_plans_passed_on_the_way_are_optimal_for_their_own_cost(items):
    fronts = Fronts.of(items)
    plan = fronts.cheapest
    for step in fronts.steps():
        assert step.option > plan[step.item]
        plan[step.item] = step.option
        error, cost = fronts.totals(plan)
        best = exhaustive.solve(items, cost)
        assert error == pytest.approx(sum(item[option][1] for item, option in zip(items, best, strict=True)))


def test_greedy_names_the_price_of_the_first_step_that_does_not_fit():
    fronts = Fronts.of([[(1.0, 9.0), (2.0, 3.0), (4.0, 0.0)], [(1.0, 4.0), (3.0, 0.0)]])  # gains 6, 1.5 and 2
    assert fronts.greedy(3.0) == ([1, 0], 2.0)
    assert fronts.greedy(5.5) == ([1, 1], 1.5)
    assert fronts.greedy(7.0) == ([2, 1], 0.0)


def test_indices_are_those_of_the_items_as_given():
    fronts = Fronts.of([[(4.0, 0.0), (9.0, 9.0), (1.0, 9.0)]])
    assert fronts.indices([0]) == (2,) and fronts.indices([1]) == (0,)


def test_equal_slopes_do_not_change_places():
    """On a line whose slopes differ by rounding alone, steps of one item still come in order."""
    costs = np.sort(np.random.default_rng(0).uniform(1, 2, 40))
    fronts = Fronts.of([[(cost, 1000 * (2 - cost)) for cost in costs.tolist()]])
    assert [step.option for step in fronts.steps()] == sorted(step.option for step in fronts.steps())
