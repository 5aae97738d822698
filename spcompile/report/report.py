"""All that is known about one compilation. Where a part is missing, a Verdict in its place says why."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from spcompile.budget import SAME_SCORE, parse_drop
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
from spcompile.report.numbers import milliseconds, percent, score
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
    def over_budget(self) -> bool:
        """Does the measured time exceed the budget?"""
        measured, budget_s = self.measured, self.plan.budget_s
        return isinstance(measured, Measurement) and budget_s is not None and measured.plan.fastest_s > budget_s

    @property
    def over_drop(self) -> bool:
        """Does the measured loss of accuracy exceed what was allowed?"""
        accuracy, allowed = self.accuracy, self.request.max_drop
        return isinstance(accuracy, Accuracy) and allowed is not None and accuracy.before - accuracy.after > parse_drop(allowed) + SAME_SCORE

    @property
    def goal_met(self) -> bool:
        return self.plan.feasible and not self.over_budget and not self.over_drop

    @property
    def _nearest(self) -> str:
        """What the plan takes, by the clock where the clock judged it."""
        if self.request.measure and isinstance(self.measured, Measurement):
            return f"{milliseconds(self.measured.plan.fastest_s)}, measured"
        return f"{milliseconds(self.plan.latency.expected_s)}, predicted"

    @property
    def outcome(self) -> Verdict:
        """Yes, or why the command line exits with 1: infeasible, wrong, or slower than promised."""
        plan, budget_s = self.plan, self.plan.budget_s
        if not plan.feasible:
            goal = f"budget of {milliseconds(budget_s)}" if budget_s is not None else f"allowed drop of {self.request.max_drop}"
            return Verdict.no(f"no plan keeps the {goal}; the nearest one takes {self._nearest}")
        if self.over_drop:
            before, after = (score(value, self.accuracy.unit) for value in (self.accuracy.before, self.accuracy.after))
            return Verdict.no(f"{self.accuracy.metric} falls from {before} to {after}, by more than the {self.request.max_drop} allowed")
        check, measured = self.verification, self.measured
        if isinstance(check, Verification) and not check.holds:
            return Verdict.no(f"the compiled model differs from {check.reference} by {check.worst_relative_difference:.2g}, allowed are {check.limit:g}")
        if not isinstance(measured, Measurement):
            return Verdict.yes()
        plan_s, dense_s = measured.plan.fastest_s, measured.dense.fastest_s
        if measured.slower_than_dense:
            return Verdict.no(f"measured slower than dense by more than {percent(LEAST_NOISE)}: {milliseconds(plan_s)} against {milliseconds(dense_s)}")
        if self.over_budget:
            advice = "" if self.request.measure else "; --measure searches again until the measured time holds it"
            return Verdict.no(f"measured {milliseconds(plan_s)}, over the budget of {milliseconds(budget_s)}{advice}")
        return Verdict.yes()
