import pytest

from spcompile.costs.latency import Latency
from spcompile.ir.layer import Layer
from spcompile.patterns import parse_choice
from spcompile.plan import Option
from spcompile.search import Candidates, Problem, uniforms


def test_the_same_choice_wherever_it_is_on_offer_and_dense_elsewhere(problem):
    plans = {plan.choice.notation: plan for plan in uniforms(problem)}
    assert plans["dense"].error == 0 and plans["dense"].picks == (0, 0, 0, 0, 0)
    chosen = [layer.options[pick].choice.notation for layer, pick in zip(problem.layers, plans["block8x1@0.7"].picks, strict=True)]
    assert chosen == ["block8x1@0.7", "dense", "block8x1@0.7", "block8x1@0.7", "dense"]  # depthwise; 10 rows


def test_small_layers_take_the_share_a_level_comes_to(problem):
    plans = {plan.choice.notation: plan for plan in uniforms(problem)}
    picks = plans["channel@0.1"].picks
    assert [layer.options[pick].choice.sparsity for layer, pick in zip(problem.layers, picks, strict=True)] == [0.09375, 0, 0.1, 0.1, 0.1]


def test_zeros_that_are_there_already_stay_where_the_uniform_level_is_lower():
    exact = Latency(1e-3, 1e-3, 1e-3, "analytic")
    layer = Layer("l", "Gemm", "w", None, "x", "y", 64, 64, 1)
    options = [Option(parse_choice("dense"), exact, 0.0)]
    options += [Option(parse_choice(f"unstructured@{level}"), exact, level - 0.66) for level in (0.66, 0.7, 0.75)]
    sparse = Problem("a made-up device", 1, (Candidates(layer, tuple(options), ()),), exact)
    picks = {plan.choice.notation: plan.picks for plan in uniforms(sparse)}
    assert (picks["unstructured@0.5"], picks["unstructured@0.7"], picks["unstructured@0.9"]) == ((1,), (2,), (0,))


def test_totals_are_those_of_the_picks(problem):
    for plan in uniforms(problem):
        chosen = [layer.options[pick] for layer, pick in zip(problem.layers, plan.picks, strict=True)]
        assert plan.error == pytest.approx(sum(option.error for option in chosen))
        assert plan.latency_s == pytest.approx(1e-4 + sum(option.latency.expected_s for option in chosen))
