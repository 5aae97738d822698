import pytest

from spcompile.costs.latency import Latency
from spcompile.ir.layer import Layer
from spcompile.patterns import parse_choice
from spcompile.plan import LayerPlan, Option, Plan


def latency(expected_s, basis="analytic"):
    return Latency(expected_s, expected_s * 0.9, expected_s * 1.2, basis)


def entry(name, chosen=1):
    layer = Layer(name, "Gemm", f"{name}.weight", None, "x", "y", 8, 16, 1)
    options = (Option(parse_choice("dense"), latency(4e-3), 0.0), Option(parse_choice("2:4"), latency(1e-3, "measured"), 0.25))
    return LayerPlan(layer, options[0], options[chosen], options, (), "because")


def test_totals_add_up_over_layers_and_what_is_fixed():
    plan = Plan("arm", 1, (entry("a"), entry("b", chosen=0)), latency(2e-3), 8e-3, True)
    assert plan.latency.expected_s == pytest.approx(7e-3)
    assert (plan.latency.low_s, plan.latency.high_s) == (pytest.approx(6.3e-3), pytest.approx(8.4e-3))
    assert plan.dense_latency.expected_s == pytest.approx(10e-3)
    assert plan.error == 0.25
    assert plan.choices == {"a": parse_choice("2:4"), "b": parse_choice("dense")}


def test_a_sum_is_as_well_founded_as_its_weakest_part():
    assert Plan("arm", 1, (entry("a"),), latency(1e-3, "measured"), None, True).latency.basis == "measured"
    assert Plan("arm", 1, (entry("a"),), latency(1e-3, "analytic"), None, True).latency.basis == "analytic"


def test_a_choice_comes_from_its_options_and_dense_is_the_first():
    good = entry("a")
    with pytest.raises(AssertionError):
        LayerPlan(good.layer, good.dense, Option(parse_choice("1:4"), latency(1e-3), 0.5), good.options, (), "")
    with pytest.raises(AssertionError):
        LayerPlan(good.layer, good.options[1], good.chosen, good.options, (), "")
