"""Findings, figure by figure."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spcompile.check.compare import BETTER, EXACT, SAME, SKIPPED, WHOLE, WORSE, changed_layers, deterministic, latency, layer_latencies
from spcompile.check.figures import OF_A_LAYER, OF_THE_MODEL, Layer, LayerTime, Snapshot, Times
from spcompile.verdict import Verdict


def outcomes(was: Snapshot, now: Snapshot) -> dict[tuple[str, str], str]:
    return {(finding.place, finding.figure.name): finding.outcome for finding in deterministic(was, now)}


def test_every_figure_of_every_place_is_compared(sample):
    found = outcomes(sample, sample)
    assert set(found) == {(WHOLE, f.name) for f in OF_THE_MODEL} | {(layer.name, f.name) for layer in sample.layers for f in OF_A_LAYER}
    assert set(found.values()) == {SAME}


@pytest.mark.parametrize("figure", OF_THE_MODEL, ids=lambda figure: figure.name)
def test_both_sides_of_every_figure(sample, figure):
    """2 % more shows, 2 % less shows, and which of them is worse depends on the figure."""
    for share, outcome in ((1.02, BETTER if figure.more_is_better else WORSE), (0.98, WORSE if figure.more_is_better else BETTER), (1.001, SAME)):
        now = replace(sample, total=sample.total | {figure.name: sample.total[figure.name] * share})
        assert outcomes(sample, now) == outcomes(sample, sample) | {(WHOLE, figure.name): outcome}


@pytest.mark.parametrize("figure", OF_A_LAYER, ids=lambda figure: figure.name)
def test_one_kernel_two_per_cent_worse_shows(sample, figure):
    first = sample.layers[0]
    worse = replace(first, figures=first.figures | {figure.name: first.figures[figure.name] * 1.02})
    now = replace(sample, layers=(worse, *sample.layers[1:]))
    assert [place for place, outcome in outcomes(sample, now).items() if outcome != SAME] == [(first.name, figure.name)]


def test_new_work_is_worse_and_work_that_went_is_better(sample):
    extra = Layer("relu", ("f32_elementwise",), sample.layers[0].figures)
    more = replace(sample, layers=(*sample.layers, extra))
    assert outcomes(sample, more)["relu", "predicted_cycles"] == WORSE
    assert outcomes(more, sample)["relu", "predicted_cycles"] == BETTER


@pytest.mark.parametrize(("tool", "hit"), [("llvm-mca", {"simulated_cycles"}), ("cost-model", {"simulated_cycles", "predicted_cycles"}), ("torch", set())])
def test_figures_of_another_tool_are_not_compared(sample, tool, hit):
    """A new version of what judges is no regression of what is judged."""
    now = replace(sample, tools=sample.tools | {tool: "99"}, total=sample.total | dict.fromkeys(hit, 1e9))
    found = list(deterministic(sample, now))
    assert {finding.figure.name for finding in found if finding.outcome == SKIPPED} == hit
    assert all(f"{tool} " in finding.reason and "99 now" in finding.reason for finding in found if finding.outcome == SKIPPED)
    assert {finding.outcome for finding in found} <= {SAME, SKIPPED}


def test_what_is_missing_on_one_side_is_told(sample):
    now = replace(sample, total=sample.total | {"accuracy": Verdict.no("no labels")})
    skipped = [finding for finding in deterministic(sample, now) if finding.outcome == SKIPPED]
    assert [(finding.figure.name, finding.was, finding.now, finding.reason) for finding in skipped] == [("accuracy", 0.915, None, "no labels")]


def test_a_figure_that_was_nothing(sample):
    was = replace(sample, total=sample.total | {"workspace_bytes": 0})
    finding = next(found for found in deterministic(was, sample) if found.figure.name == "workspace_bytes")
    assert (finding.outcome, finding.change) == (WORSE, None)


@given(then=st.floats(1e-6, 1), share=st.floats(0.5, 2), noise=st.floats(0, 0.3))
def test_times_differ_beyond_the_noise_of_both(then, share, noise):
    def times(seconds):
        return Times(seconds, noise, seconds, seconds, seconds, 3, 99)

    finding = latency(times(then), times(then * share), None)
    allowed = max(0.03, 2 * noise)
    assert finding.tolerance == pytest.approx(allowed)
    if abs(abs(share - 1) - allowed) > 1e-9:
        assert finding.outcome == (WORSE if share - 1 > allowed else BETTER if 1 - share > allowed else SAME)
    assert latency(times(then), times(then * share), None, in_turns=True).tolerance == pytest.approx(max(0.02, 2 * noise))


@pytest.mark.parametrize(("share", "outcome"), [(1.04, SAME), (1.1, WORSE), (0.9, BETTER)])
def test_a_changed_layer_s_time(share, outcome):
    was = replace(times(1.0), layers={"conv": LayerTime(1e-4, 0.01), "gone": LayerTime(1e-4, 0.01)})
    now = replace(times(1.0), layers={"conv": LayerTime(1e-4 * share, 0.01), "new": LayerTime(1e-4, 0.01)})
    assert [(found.place, found.outcome) for found in layer_latencies(was, now, None, {"conv"})] == [("conv", outcome)]
    noisy = replace(now, layers={"conv": LayerTime(1e-4 * share, 0.2)})
    assert [found.outcome for found in layer_latencies(was, noisy, None, {"conv"})] == [SAME]
    assert [found.tolerance for found in layer_latencies(was, now, 0.5, {"conv"})] == [0.5]


@pytest.mark.parametrize("share", [1.1, 0.9])
def test_a_layer_whose_code_is_what_it_was_is_not_blamed(share):
    was, now = (replace(times(1.0), layers={"conv": LayerTime(seconds, 0.01)}) for seconds in (1e-4, 1e-4 * share))
    (found,) = layer_latencies(was, now, None, set())
    assert found.outcome == SKIPPED and found.change == pytest.approx(share - 1)
    assert found.reason == f"timed {share - 1:+.1%}, but its code is what it was"


def test_what_makes_a_layer_changed(sample):
    first, second = sample.layers
    assert not changed_layers(sample, sample)
    for other in (replace(first, kernels=("f32_gemm",)), replace(first, figures=first.figures | {"instructions": 710.0 * 3})):
        assert changed_layers(sample, replace(sample, layers=(other, second))) == {first.name}


def times(seconds: float) -> Times:
    return Times(seconds, 0.004, seconds, seconds, seconds, 3, 300)


def test_the_exact_tolerance_is_tiny():
    assert EXACT < 0.01
