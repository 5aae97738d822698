"""The limits of one model, held against what its artifact's report says: budget, accuracy, agreement with the reference engine."""

from collections.abc import Iterator

from spcompile.budget import parse_budget, parse_drop
from spcompile.check.compare import LIMIT, SKIPPED, Finding, limit
from spcompile.check.figures import BUDGET, DIFFERENCE, DROP, FLOOR, Times
from spcompile.check.model import Model, SettingsError
from spcompile.report.facts import LEAST_NOISE, Accuracy
from spcompile.report.report import Report
from spcompile.verdict import Verdict

ROUNDING = 1e-9  # a share: sums of the same times in another order
DIGITS = 6  # of a score: what differs less is the same count of right answers


def limits(model: Model, report: Report) -> Iterator[Finding]:
    """Budgets are held against predicted times, which are the same on every machine. SettingsError: a limit that the report cannot be held against."""
    if model.budget is not None:
        plan = report.plan
        allowed_s = parse_budget(model.budget).limit_s(plan.dense_latency.expected_s)
        yield limit(BUDGET, allowed_s, plan.latency.expected_s, f"{model.budget} asked; {plan.latency.basis} for {report.target.name}", ROUNDING)
    if model.accuracy_floor is not None or model.max_drop is not None:
        yield from _of_accuracy(model, report.accuracy)
    check = report.verification
    if isinstance(check, Verdict):
        yield Finding(LIMIT, DIFFERENCE, None, None, 0.0, SKIPPED, check.reason)
    else:
        yield limit(DIFFERENCE, check.limit, check.worst_relative_difference, f"from {check.reference} on the same pruned network")


def is_timed(model: Model, report: Report) -> bool:
    """Is this machine the one that a budget in seconds is about?"""
    return model.budget is not None and parse_budget(model.budget).latency_s is not None and report.target.name == "host"


def measured_budget(model: Model, times: Times | Verdict) -> Finding:
    """The budget of a model for this host, against measured times; other work never makes it miss, so what lies within the noise is kept."""
    if isinstance(times, Verdict):
        return Finding(LIMIT, BUDGET, None, None, 0.0, SKIPPED, f"not measured: {times.reason}")
    noise = max(LEAST_NOISE, times.noise)
    return limit(BUDGET, parse_budget(model.budget).latency_s, times.undisturbed_s, f"{model.budget} asked; measured on this host, {noise:.1%} allowed", noise)


def _of_accuracy(model: Model, accuracy: Accuracy | Verdict) -> Iterator[Finding]:
    if isinstance(accuracy, Verdict):
        raise SettingsError(f"an accuracy is asked for, and the report knows none: {accuracy.reason}")
    told = f"{accuracy.metric} of {accuracy.samples} samples"
    if model.accuracy_floor is not None:
        if accuracy.unit == "share" and model.accuracy_floor > 1:
            raise SettingsError(f"accuracy_floor is {model.accuracy_floor:g}, and {accuracy.metric} is a share of 1; write {model.accuracy_floor / 100:g}")
        yield limit(FLOOR, model.accuracy_floor, round(accuracy.after, DIGITS), told)
    if model.max_drop is not None:
        yield limit(DROP, parse_drop(model.max_drop), max(0.0, round(accuracy.before - accuracy.after, DIGITS)), f"from {accuracy.before:.4f}, {told}")
