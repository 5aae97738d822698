import re

import pytest

from spcompile.search import choose
from spcompile.search.reasons import weighed


def option(layer, notation):
    return next(option for option in layer.options if option.choice.notation == notation)


def test_a_sparse_layer_names_its_saving_and_the_next_step(problem):
    layer = problem.layers[0]
    chosen = option(layer, "block4x1@0.8")
    sentence = weighed(layer, chosen, price=1000.0)
    saved = (layer.dense.latency.expected_s - chosen.latency.expected_s) * 1e3
    assert sentence.startswith(f"block4x1 at 80 % is the least harmful way to save {saved:.2g} ms here; ")
    match = re.search(r"; (\S+) at ([\d.]+) % would save ([\d.]+) ms more at ([\d.]+) times the harm per ms that suffices elsewhere$", sentence)
    faster = option(layer, f"{match[1]}@{float(match[2]) / 100:g}")
    more_s = chosen.latency.expected_s - faster.latency.expected_s
    assert float(match[3]) == pytest.approx(more_s * 1e3, rel=0.06)
    assert float(match[4]) == pytest.approx((faster.error - chosen.error) / more_s / 1000, abs=0.06)
    assert all(
        (other.error - chosen.error) / (chosen.latency.expected_s - other.latency.expected_s) >= (faster.error - chosen.error) / more_s
        for other in layer.options
        if other.latency.expected_s < chosen.latency.expected_s
    )


def test_a_step_cheaper_than_the_going_rate_was_not_asked_for(problem):
    layer = problem.layers[0]
    assert weighed(layer, option(layer, "block4x1@0.8"), price=1e9).endswith("more, which the goal does not ask for")


def test_the_fastest_option_says_so(problem):
    layer = problem.layers[0]
    fastest = min(layer.options, key=lambda each: each.latency.expected_s)
    assert weighed(layer, fastest, price=1.0).endswith("; nothing on offer is faster")


def test_dense_layers(problem):
    layer, depthwise = problem.layers[0], problem.layers[1]
    assert weighed(depthwise, depthwise.dense, price=1.0) == "dense: no pattern fits and is faster here"
    assert weighed(layer, layer.dense, price=0.0) == "dense: the goal is met without this layer"
    pattern = r"dense: \S+ at [\d.]+ % would save [\d.]+ ms at [\d.]+ times the harm per ms that suffices elsewhere"
    assert re.fullmatch(pattern, weighed(layer, layer.dense, price=1.0))
    assert weighed(layer, layer.dense, price=1e-3).endswith(" at more than 1,000 times the harm per ms that suffices elsewhere")
    assert weighed(layer, layer.dense, price=1e9).endswith("more than the goal asks for")


def test_plans_that_miss_their_budget_say_so(problem):
    assert all(entry.why.endswith("the fastest option here, and still the budget is not met") for entry in choose(problem, 1e-5).layers)
