"""The sentences that open a report, and those that warn: one wording for terminal and page."""

from collections import defaultdict

from spcompile.plan import Plan, Refusal
from spcompile.report.facts import Accuracy, Measurement, TargetFacts
from spcompile.report.numbers import milliseconds, plural, predicted, score
from spcompile.report.report import Report
from spcompile.verdict import Verdict


def headline(report: Report) -> str:
    """What was made, for what, how fast, and what it costs, in one line."""
    plan, model, target = report.plan, report.model, report.target
    parts = [f"{milliseconds(plan.dense_latency.expected_s)} dense -> {predicted(plan.latency)}"]
    parts += [_measured(report.measured)] if isinstance(report.measured, Measurement) else []
    parts += [goal] if (goal := _goal(report)) else []
    accuracy = f"; {_accuracy(report.accuracy)}" if isinstance(report.accuracy, Accuracy) else ""
    return f"{model.name} on {device(target, plan.threads)}: {', '.join(parts)}{accuracy}"


def device(target: TargetFacts, threads: int) -> str:
    """Its name, and how much of it may be used, where that is a choice."""
    return f"{target.name}, {plural(threads, 'thread')}" if target.family == "cpu" else target.name


def _measured(measured: Measurement) -> str:
    return f"measured {milliseconds(measured.dense.fastest_s)} -> {milliseconds(measured.plan.fastest_s)}"


def _goal(report: Report) -> str:
    request, met = report.request, "met" if report.goal_met else "not met"
    asked = [f"budget {_budget(request.budget, report.plan)}"] if request.budget is not None else []
    asked += [f"drop of at most {request.max_drop.replace('%', ' %')}"] if request.max_drop is not None else []
    return f"{' and '.join(asked)} {met}" if asked else ""


def _budget(text: str, plan: Plan) -> str:
    """A relative budget is followed by the time it comes to: "2x (4.03 ms)"."""
    absolute = milliseconds(plan.budget_s) if plan.budget_s is not None else ""
    return f"{text} ({absolute})" if text.endswith("x") and absolute else absolute or text


def _accuracy(accuracy: Accuracy) -> str:
    name = "accuracy" if accuracy.unit == "share" else accuracy.metric
    between = f" ({score(accuracy.pruned, accuracy.unit)} before recovery)" if accuracy.pruned is not None else ""
    return f"{name} {score(accuracy.before, accuracy.unit)} -> {score(accuracy.after, accuracy.unit)}{between} on {plural(accuracy.samples, 'sample')}"


def cautions(report: Report) -> tuple[str, ...]:
    """What a careful reader should know before relying on the result; the worst first."""
    plan, found = report.plan, list(report.warnings)
    if not report.outcome:
        found.insert(0, report.outcome.reason)
    if isinstance(report.calibration, Verdict):
        found.append(f"calibration: {report.calibration.reason}")
    unsure = not isinstance(report.measured, Measurement) and plan.feasible and plan.budget_s is not None and plan.latency.high_s > plan.budget_s
    if unsure:
        expected, limit, high = (milliseconds(time_s) for time_s in (plan.latency.expected_s, plan.budget_s, plan.latency.high_s))
        found.append(f"the predicted {expected} keeps the budget of {limit}, but its range reaches {high}: measure on the device to be sure")
    return tuple(found)


def refusals(plan: Plan) -> tuple[str, ...]:
    """What layers of the plan refused, as `refusal_lines`."""
    return refusal_lines([(entry.layer.name, entry.refusals) for entry in plan.layers])


def refusal_lines(layers: list[tuple[str, tuple[Refusal, ...]]]) -> tuple[str, ...]:
    """layers: (name, its refusals). One line for each pattern that some layer refused: how many, and the reason of the first."""
    by_pattern = defaultdict(list)
    for name, refused in layers:
        for refusal in refused:
            by_pattern[refusal.pattern].append((name, refusal.reason))
    return tuple(_refusal(pattern, found, len(layers)) for pattern, found in by_pattern.items())


def _refusal(pattern: str, found: list[tuple[str, str]], layers: int) -> str:
    (name, reason), same = found[0], len({reason for _, reason in found}) == 1
    example = reason if same else f"for example {name}: {reason}"
    return f"{pattern} on {len(found)} of {plural(layers, 'layer')}: {example}"
