"""All that is known about one compilation. Where a part is missing, a Verdict in its place says why."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from spcompile.budget import SAME_SCORE, parse_budget, parse_drop
from spcompile.plan import Plan
from spcompile.report.accelerator_facts import AcceleratorFacts
from spcompile.report.facts import (
    LEAST_NOISE,
    Accuracy,
    ArtifactFile,
    Calibration,
    Environment,
    LayerWeights,
    Measurement,
    ModelFacts,
    PlanPoint,
    Request,
    Stage,
    TargetFacts,
    Verification,
)
from spcompile.report.numbers import milliseconds, percent, score, told_apart
from spcompile.verdict import Verdict

SCHEMA = 1  # of report.json; raised when a reader of the old form would misread the new one


@dataclass(frozen=True)
class Report:
    """Predicted latencies are the plan's own; `frontier` and `uniform` are real plans found on the way."""

    created: str  # ISO 8601 to the second, UTC: "2026-11-22T15:37:04+00:00"
    request: Request
    model: ModelFacts
    target: TargetFacts
    plan: Plan
    weights: tuple[LayerWeights, ...]  # in the plan's order
    measured: Measurement | Verdict
    accuracy: Accuracy | Verdict
    calibration: Calibration | Verdict
    verification: Verification | Verdict
    frontier: tuple[PlanPoint, ...]
    uniform: tuple[PlanPoint, ...]  # one pattern and level wherever it fits: the baseline
    stages: tuple[Stage, ...]
    peak_memory_bytes: int
    files: tuple[ArtifactFile, ...]
    environment: Environment
    warnings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    accelerator: AcceleratorFacts | None = None  # of FPGA-like targets

    def __post_init__(self):
        assert [weights.layer for weights in self.weights] == [entry.layer.name for entry in self.plan.layers], "one LayerWeights for each layer, in order"
        assert datetime.fromisoformat(self.created).utcoffset() == timedelta(0), self.created
        for part in (self.measured, self.accuracy, self.calibration, self.verification):
            assert not isinstance(part, Verdict) or part.reason, "what is missing needs a reason"

    @property
    def measured_limit_s(self) -> float | None:
        """The time that the clock holds the plan against; a speed-up asked for is one over the dense network timed beside it."""
        if self.request.budget is None or not isinstance(self.measured, Measurement):
            return None
        return parse_budget(self.request.budget).limit_s(self.measured.dense.fastest_s)

    @property
    def over_budget(self) -> bool:
        """Does the measured time exceed the budget, beyond noise?"""
        limit_s = self.measured_limit_s
        return limit_s is not None and self.measured.plan.fastest_s > (1 + LEAST_NOISE) * limit_s

    @property
    def over_drop(self) -> bool:
        """Does the measured loss of accuracy exceed what was allowed?"""
        accuracy, allowed = self.accuracy, self.request.max_drop
        return isinstance(accuracy, Accuracy) and allowed is not None and accuracy.before - accuracy.after > parse_drop(allowed) + SAME_SCORE

    @property
    def goal_met(self) -> bool:
        return self.plan.feasible and not self.over_budget and not self.over_drop

    @property
    def outcome(self) -> Verdict:
        """Yes, or why the command line exits with 1: infeasible, wrong, or slower than promised."""
        if not self.plan.feasible:
            return Verdict.no(self._infeasible)
        if self.over_drop:
            before, after = (score(value, self.accuracy.unit) for value in (self.accuracy.before, self.accuracy.after))
            return Verdict.no(f"{self.accuracy.metric} falls from {before} to {after}, by more than the {self.request.max_drop} allowed")
        check = self.verification
        if isinstance(check, Verification) and not check.holds:
            return Verdict.no(f"the compiled model differs from {check.reference} by {check.worst_relative_difference:.2g}, allowed are {check.limit:g}")
        return self._by_the_clock if isinstance(self.measured, Measurement) else Verdict.yes()

    @property
    def _infeasible(self) -> str:
        """Told by the clock where the clock judged it."""
        nearest_s, limit_s, basis = self.plan.latency.expected_s, self.plan.budget_s, "predicted"
        if self.request.measure and isinstance(self.measured, Measurement):
            nearest_s, limit_s, basis = self.measured.plan.fastest_s, self.measured_limit_s, "measured"
        if limit_s is None:
            return f"no plan keeps the allowed drop of {self.request.max_drop}; the nearest one takes {milliseconds(nearest_s)}, {basis}"
        nearest, budget = told_apart(nearest_s, limit_s)
        return f"no plan keeps the budget of {budget}; the nearest one takes {nearest}, {basis}"

    @property
    def _by_the_clock(self) -> Verdict:
        """Of a measured plan."""
        plan_s, dense_s, noise = self.measured.plan.fastest_s, self.measured.dense.fastest_s, percent(LEAST_NOISE)
        if self.measured.slower_than_dense:
            return Verdict.no(f"measured slower than dense by more than {noise}: {milliseconds(plan_s)} against {milliseconds(dense_s)}")
        if self.over_budget:
            asked = self.request.budget
            budget = f"{milliseconds(self.measured_limit_s)}{f', {asked} over dense timed beside it' if asked.endswith('x') else ''}"
            advice = "" if self.request.measure else "; --measure searches again until the measured time holds it"
            return Verdict.no(f"measured {milliseconds(plan_s)}, more than {noise} over the budget of {budget}{advice}")
        return Verdict.yes()
