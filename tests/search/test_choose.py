import pytest
from hypothesis import given
from hypothesis import strategies as st

from spcompile.search import choose, uniforms
from spcompile.search.relaxation import within

DENSE_S = pytest.approx(1e-4 + 2 * (64 * 144 * 3136 + 64 * 9 * 3136 + 128 * 64 * 784 + 128 * 128 * 784 + 10 * 128) / 40e9)


def test_without_a_budget_nothing_is_taken_away(problem):
    plan = choose(problem, None)
    assert plan.feasible and plan.budget_s is None and plan.error == 0
    assert plan.latency.expected_s == plan.dense_latency.expected_s == DENSE_S


def test_the_dense_time_is_a_budget_that_dense_holds(problem):
    plan = choose(problem, choose(problem, None).latency.expected_s)
    assert plan.feasible and plan.error == 0


@given(share=st.floats(0.02, 1.2))
def test_plans_hold_their_budget_or_are_the_fastest(problem, share):
    budget_s = share * choose(problem, None).latency.expected_s
    plan = choose(problem, budget_s)
    assert plan.budget_s == budget_s and plan.fixed == problem.fixed
    assert plan.feasible == within(plan.latency.expected_s, budget_s)
    fastest = [min(option.latency.expected_s for option in layer.options) for layer in problem.layers]
    if not plan.feasible:
        assert [entry.chosen.latency.expected_s for entry in plan.layers] == fastest
    assert plan.feasible == within(sum(fastest) + problem.fixed.expected_s, budget_s)
    assert all(entry.why for entry in plan.layers)


def test_more_time_never_does_more_harm(problem):
    dense_s = choose(problem, None).latency.expected_s
    errors = [choose(problem, share * dense_s).error for share in (0.3, 0.4, 0.5, 0.7, 0.9, 1.0)]
    assert errors == sorted(errors, reverse=True) and errors[0] > 0


def test_never_worse_than_a_uniform_choice_in_the_same_time(problem):
    for uniform in uniforms(problem):
        plan = choose(problem, uniform.latency_s)
        assert plan.feasible and plan.error <= uniform.error


def test_each_entry_keeps_what_it_was_chosen_from(problem):
    for entry, layer in zip(choose(problem, 4e-4).layers, problem.layers, strict=True):
        assert entry.layer is layer.layer and entry.options is layer.options and entry.refusals is layer.refusals
