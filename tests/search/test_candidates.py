import pytest

from spcompile.costs.latency import Latency
from spcompile.ir.layer import Layer
from spcompile.patterns import GENERAL, parse, parse_choice
from spcompile.search.candidates import DENSE, candidates, fits, timed_choices

LAYER = Layer("l", "Conv", "w", None, "x", "y", 24, 9 * 8, 49, kernel=(3, 3))


OFFERED = tuple(map(parse, ("dense", "unstructured", "block2x1", "block4x1", "block8x1", "block16x1", "2:4", "1:4", "2:8", "4:8", "channel")))


def predict(layer, choice):
    """Half as fast as dense on what it keeps."""
    seconds = 1e-3 if choice == DENSE else 2e-3 * choice.density
    return Latency(seconds, seconds, seconds, "analytic")


def no_zeros(layer, pattern):
    return 0.0


def harm(layer, choice):
    assert choice.sparsity > 0.5, "asked for the harm of an option that does not pay"
    return choice.sparsity


def test_every_option_is_faster_than_dense_and_everything_else_is_refused_with_figures():
    found = candidates(LAYER, OFFERED, predict, harm, no_zeros, fits)
    assert found.options[0].choice == DENSE and found.dense.error == 0
    assert all(option.latency.expected_s < 1e-3 and option.error == option.choice.sparsity for option in found.options[1:])
    assert {option.choice.pattern.notation for option in found.options[1:]} == {
        "unstructured", "block2x1", "block4x1", "block8x1", "1:4", "2:8", "channel",
    }  # fmt: skip
    reasons = {refusal.pattern: refusal.reason for refusal in found.refusals}
    assert reasons["block16x1"] == "24 rows are not a multiple of 16"
    assert reasons["2:4"] == "at 0.5 zeros predicted 1.00x the time of dense here"
    assert reasons["unstructured"] == "at 0.3 to 0.5 zeros predicted 1.40x to 1.00x the time of dense here"


def test_nothing_is_dropped_silently():
    found = candidates(LAYER, GENERAL, predict, harm, no_zeros, fits)
    timed, refused = timed_choices(LAYER, GENERAL, predict, no_zeros, fits)
    named = {option.choice.pattern.notation for option in found.options} | {refusal.pattern for refusal in found.refusals}
    assert named == {pattern.notation for pattern in GENERAL}
    assert len(timed) == 1 + sum(len(pattern.sparsities(LAYER)) for pattern in GENERAL[1:] if pattern.fits(LAYER))
    assert [refusal.pattern for refusal in refused] == ["block16x1"]


def test_only_the_patterns_asked_for():
    timed, refused = timed_choices(LAYER, (parse("2:4"),), predict, no_zeros, fits)
    assert [choice.notation for choice, _ in timed] == ["dense", "2:4"] and not refused


def test_zeros_that_are_there_already_replace_the_levels_below_them():
    found = candidates(LAYER, (parse("unstructured"), parse("2:8")), predict, harm, lambda layer, pattern: 0.72, fits)
    assert [option.choice.sparsity for option in found.options] == [0.0, 0.72, 0.75, 0.8, 0.85, 0.9, 0.95, 0.75]


def test_a_few_zeros_are_no_level():
    timed, _ = timed_choices(LAYER, (parse("unstructured"),), predict, lambda layer, pattern: 0.1, fits)
    assert timed == timed_choices(LAYER, (parse("unstructured"),), predict, no_zeros, fits)[0]


def test_a_depthwise_layer_has_dense_alone():
    found = candidates(Layer("dw", "Conv", "w", None, "x", "y", 24, 9, 49, groups=24, kernel=(3, 3)), GENERAL, predict, harm, no_zeros, fits)
    assert [option.choice for option in found.options] == [parse_choice("dense")]
    assert all(refusal.reason.startswith("depthwise") for refusal in found.refusals) and len(found.refusals) == len(GENERAL) - 1


def test_a_negative_harm_is_our_mistake():
    with pytest.raises(AssertionError):
        candidates(LAYER, GENERAL, predict, lambda layer, choice: -1.0, no_zeros, fits)
