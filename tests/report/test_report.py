import re
from dataclasses import replace

import pytest

from spcompile.report import Timing, Verification
from spcompile.verdict import Verdict


def test_a_kept_budget_is_a_good_outcome(report):
    assert report.outcome


def test_an_infeasible_budget_names_budget_and_fastest(infeasible):
    assert not infeasible.outcome
    assert "0.1 ms" in infeasible.outcome.reason
    assert "0.443 ms" in infeasible.outcome.reason


def test_the_clock_s_word_counts_where_it_judged(infeasible, samples):
    asked = replace(infeasible, request=replace(infeasible.request, measure=True), measured=samples.measurement(0.001, 0.0009))
    assert asked.outcome.reason == "no plan keeps the budget of 0.1 ms; the nearest one takes 0.9 ms, measured"


def test_an_infeasible_drop_is_named_when_there_is_no_budget(samples, small):
    plan = replace(small.plan, feasible=False, budget_s=None)
    changed = replace(small, plan=plan, request=replace(small.request, budget=None, max_drop="1%"))
    assert "allowed drop of 1%" in changed.outcome.reason


@pytest.mark.parametrize(
    ("dense_s", "plan_s", "reason"),
    [
        (0.0081, 0.0049, ""),
        (0.0081, 0.0050, ""),  # the median lies above the budget
        (0.0081, 0.00514, ""),  # within the noise
        (0.0081, 0.0052, "measured 5.2 ms, more than 3 % over the budget of 5 ms; --measure searches"),
        (0.0045, 0.0049, "measured slower than dense"),
        (0.0045, 0.00463, ""),  # within the noise
    ],
)
def test_measured_times_decide(samples, report, dense_s, plan_s, reason):
    outcome = replace(report, measured=samples.measurement(dense_s, plan_s)).outcome
    assert bool(outcome) == (not reason)
    assert reason in outcome.reason


@pytest.mark.parametrize(("plan_s", "kept"), [(0.004, True), (0.00411, True), (0.0042, False)])
def test_a_speed_up_is_one_over_the_dense_network_timed_beside_it(samples, report, plan_s, kept):
    """Whatever time the plan was made for, which came of another measurement, or of a prediction for another machine."""
    asked = replace(report, request=replace(report.request, budget="2x"), measured=samples.measurement(0.008, plan_s))
    assert asked.goal_met == bool(asked.outcome) == kept
    assert kept or asked.outcome.reason.startswith("measured 4.2 ms, more than 3 % over the budget of 4 ms, 2x over dense timed beside it; ")


def test_times_that_differ_are_printed_so(infeasible):
    budget_s = infeasible.plan.latency.expected_s * (1 - 1e-5)
    told = replace(infeasible, plan=replace(infeasible.plan, budget_s=budget_s)).outcome.reason
    budget, nearest = re.findall(r"([0-9.]+) ms", told)
    assert float(budget) < float(nearest)


def test_a_missed_budget_advises_measuring_only_when_that_was_not_asked(samples, report):
    missed = replace(report, measured=samples.measurement(0.0081, 0.0052))
    assert "--measure" in missed.outcome.reason
    assert "--measure" not in replace(missed, request=replace(report.request, measure=True)).outcome.reason


@pytest.mark.parametrize(("allowed", "kept"), [("1%", True), ("0.3%", True), ("0.2%", False), ("0%", False)])
def test_the_measured_accuracy_decides_over_the_allowed_drop(report, allowed, kept):
    """The sample falls from 91.5 % to 91.2 %."""
    asked = replace(report, request=replace(report.request, max_drop=allowed))
    assert bool(asked.outcome) == kept
    assert asked.goal_met == kept
    assert kept or "top-1 falls from 91.5 % to 91.2 %, by more than the" in asked.outcome.reason


@pytest.mark.parametrize("created", ["2026-11-22T15:37:04", "2026-11-22T15:37:04+01:00"])
def test_times_are_utc(report, created):
    with pytest.raises(AssertionError):
        replace(report, created=created)


def test_a_failed_comparison_is_told_before_a_regression(samples, report):
    wrong = Verification("ONNX Runtime 1.32.0", 3, 0, 2e-3, 1e-4, "this host")
    outcome = replace(report, verification=wrong, measured=samples.measurement(0.004, 0.005)).outcome
    assert "differs from ONNX Runtime 1.32.0 by 0.002" in outcome.reason


@pytest.mark.parametrize("part", ["measured", "accuracy", "calibration", "verification"])
def test_what_is_missing_needs_a_reason(report, part):
    assert replace(report, **{part: Verdict.no("because")})
    with pytest.raises(AssertionError, match="reason"):
        replace(report, **{part: Verdict.yes()})


def test_weights_follow_the_plan(report):
    with pytest.raises(AssertionError, match="LayerWeights"):
        replace(report, weights=report.weights[::-1])


def test_quartiles_enclose_the_median():
    with pytest.raises(AssertionError):
        Timing(1e-3, 2e-3, 2.1e-3, 3e-3)


def test_a_difference_that_is_no_number_is_refused():
    with pytest.raises(AssertionError):
        Verification("ONNX Runtime 1.32.0", 3, 0, float("nan"), 1e-4, "this host")


@pytest.mark.parametrize("kept", [-1, 2_000_001])
def test_a_step_keeps_no_more_than_its_dense_layer_has(samples, kept):
    with pytest.raises(AssertionError, match="AcceleratorStep"):
        replace(samples.accelerator().steps[1], macs_kept=kept)
