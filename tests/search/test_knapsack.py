import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spcompile.search import exhaustive, knapsack
from spcompile.search.knapsack import WIDTHS, _Core, solve
from spcompile.search.relaxation import Fronts, within

whole = st.integers(0, 12).map(float)  # sums are exact, ties abound, zero is among them
fractions = st.floats(0, 10).map(lambda value: round(value, 3))


def items_of(number):
    return st.lists(st.lists(st.tuples(number, number), min_size=1, max_size=5), min_size=1, max_size=5)


def totals(items, plan):
    chosen = [item[option] for item, option in zip(items, plan, strict=True)]
    return sum(error for _, error in chosen), sum(cost for cost, _ in chosen)


@given(items_of(whole), st.integers(0, 60).map(float))
def test_least_error_then_least_cost_as_every_plan_tried_one_by_one(items, budget_s):
    expected, found = exhaustive.solve(items, budget_s), solve(items, budget_s)
    assert (found is None) == (expected is None)
    if expected is not None:
        assert totals(items, found) == totals(items, expected)


@given(items_of(fractions), st.floats(0, 60))
def test_with_fractions_too(items, budget_s):
    expected, found = exhaustive.solve(items, budget_s), solve(items, budget_s)
    assert (found is None) == (expected is None)
    if expected is not None:
        assert totals(items, found) == pytest.approx(totals(items, expected), rel=1e-9, abs=1e-9)
        assert within(totals(items, found)[1], budget_s)


@given(items_of(fractions), st.randoms())
def test_the_sum_of_any_plans_times_is_a_budget_it_holds(items, random):
    """However the floating-point sums come out: "1x" must find dense."""
    plan = [random.randrange(len(item)) for item in items]
    error, cost = totals(items, plan)
    found = solve(items, cost)
    assert found is not None and totals(items, found)[0] <= error * (1 + 1e-12)


@given(items_of(whole), st.integers(0, 60).map(float), st.integers(1, 3))
def test_with_next_to_no_states_kept_only_as_much_is_lost_as_promised(items, budget_s, width):
    """No worse than the best plan for a budget smaller by len(items) / width."""
    fronts = Fronts.of(items)
    if not within(fronts.totals(fronts.cheapest)[1], budget_s):
        return
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(knapsack, "WIDTHS", (width,))
        error, cost = totals(items, solve(items, budget_s))
    assert within(cost, budget_s)
    smaller = exhaustive.solve(items, budget_s * (1 - len(items) / width))
    if smaller is not None:
        assert error <= totals(items, smaller)[0]


@pytest.mark.parametrize("seed", [11, 18, 33])
def test_a_thinned_walk_that_finds_less_than_the_greedy_plan_is_not_believed(monkeypatch, seed):
    monkeypatch.setattr(knapsack, "WIDTHS", (1,))
    rng = np.random.default_rng(seed)
    items = [list(zip(*rng.integers(0, 30, (2, 8)).astype(float).tolist(), strict=True)) for _ in range(10)]
    fronts = Fronts.of(items)
    for spare_s in range(1, 100):
        budget_s = fronts.totals(fronts.cheapest)[1] + spare_s
        assert totals(items, solve(items, budget_s))[0] <= fronts.totals(fronts.greedy(budget_s)[0])[0]


@given(st.lists(st.floats(0.001, 1), min_size=12, max_size=12), st.permutations(range(12)))
def test_the_dense_time_is_a_budget_for_dense_in_whatever_order_it_is_added(dense_s, order):
    items = [[(cost, 0.0), (cost / 2, 1.0)] for cost in dense_s]
    assert solve(items, sum(dense_s[layer] for layer in order)) == (0,) * 12


def test_none_when_even_the_cheapest_do_not_fit():
    assert solve([[(2.0, 0.0), (1.0, 5.0)], [(2.0, 0.0)]], 2.9) is None
    assert solve([[(2.0, 0.0), (1.0, 5.0)], [(2.0, 0.0)]], 3.0) == (1, 0)
    assert solve([[(2.0, 0.0)]], -1.0) is None


def test_no_layers_hold_any_budget():
    assert solve([], 0.0) == ()
    assert solve([], -1.0) is None


def test_an_endless_budget_takes_the_least_error_at_its_least_cost():
    assert solve([[(5.0, 0.0), (4.0, 0.0), (1.0, 2.0)], [(3.0, 1.0)]], float("inf")) == (1, 0)


def test_among_equal_options_the_first_is_taken():
    assert solve([[(1.0, 1.0), (1.0, 1.0)], [(1.0, 1.0), (1.0, 1.0)]], 2.0) == (0, 0)


@pytest.mark.parametrize(("layers", "kinds", "tick_s"), [(54, 54, 0.0), (54, 3, 1e-6), (145, 145, 0.0), (145, 6, 1e-6)])
def test_whole_networks_agree_with_highs_and_are_solved_at_once(tables, layers, kinds, tick_s):
    items = tables(layers, kinds, seed=1, tick_s=tick_s)
    dense_s = sum(item[0][0] for item in items)
    for share in (0.8, 0.45):
        start = time.perf_counter()
        found = solve(items, share * dense_s)
        assert time.perf_counter() - start < (2 if layers == 54 else 5)  # tenths of a second on an idle core
        error, cost = totals(items, found)
        assert within(cost, share * dense_s)
        assert error == pytest.approx(least_error_by_highs(items, share * dense_s), rel=1e-6)


def least_error_by_highs(items, budget_s):
    """The same problem as a mixed-integer program: one binary a option, one row a layer, one row for the budget."""
    from scipy.optimize import Bounds, LinearConstraint, milp
    from scipy.sparse import csr_array

    fronts = Fronts.of(items)
    cost, error = np.concatenate(fronts.costs) / budget_s, np.concatenate(fronts.errors)
    owner = np.repeat(np.arange(len(items)), [len(front) for front in fronts.options])
    one_each = csr_array((np.ones(len(owner)), (owner, np.arange(len(owner)))))
    constraints = [LinearConstraint(one_each, 1, 1), LinearConstraint(cost[None], ub=1)]
    answer = milp(error / np.median(error), integrality=np.ones(len(owner)), bounds=Bounds(0, 1), constraints=constraints, options={"mip_rel_gap": 1e-7})
    assert answer.success, answer.message
    return float(error @ np.round(answer.x))


def test_layers_that_all_trade_at_one_rate_still_finish(monkeypatch):
    """The hardest kind: every plan of the same time has about the same error, so bounds prune nothing."""
    monkeypatch.setattr(knapsack, "WIDTHS", (64, 512))
    rng = np.random.default_rng(1)
    items = [[(cost, 10 - cost) for cost in np.sort(rng.uniform(1, 10, 20)).tolist()] for _ in range(40)]
    found = solve(items, 200.0)
    error, cost = totals(items, found)
    assert within(cost, 200.0) and error == pytest.approx(200.0, rel=1e-4)


def test_widths_hold_more_states_than_networks_need(tables):
    items = tables(145, 4, seed=49)
    fronts, budget_s = Fronts.of(items), 0.45 * sum(item[0][0] for item in items)
    plan, price = fronts.greedy(budget_s)
    assert _Core.around(plan, price, fronts, budget_s).walk(WIDTHS[-1])[1]
