"""What the stages of a compilation came to, and the report that tells of it."""

from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from spcompile.compiler import facts
from spcompile.compiler.loaded import Loaded
from spcompile.compiler.planning import curve, uniform_points
from spcompile.plan import Plan
from spcompile.pruning import Pruned
from spcompile.report.facts import Accuracy, Measurement, Request, Stage
from spcompile.report.report import Report
from spcompile.runtime.verify import Comparison
from spcompile.search import Problem
from spcompile.verdict import Verdict


@dataclass(frozen=True)
class Outcome:
    """pruned: with its final weights; built: the toolchain's own."""

    loaded: Loaded
    problem: Problem
    plan: Plan
    pruned: Pruned
    accuracy: Accuracy | Verdict
    notes: tuple[str, ...]
    built: Any
    checked: Comparison | Verdict
    measured: Measurement | Verdict

    def report(self, request: Request, name: str, source, asked: str, stages: tuple[Stage, ...]) -> Report:
        """asked: the target in the user's words. The artifact's files are not known yet."""
        toolchain = self.loaded.toolchain
        return Report(
            created=datetime.now(timezone.utc).isoformat(timespec="seconds"),
            request=request,
            model=facts.model_facts(name, source, self.loaded.model, self.pruned.model),
            target=facts.target_facts(asked, toolchain.target),
            plan=self.plan,
            weights=facts.layer_weights(self.pruned.model),
            measured=self.measured,
            accuracy=self.accuracy,
            calibration=facts.calibration_facts(self.loaded.data, toolchain.without_data),
            verification=facts.verification_facts(self.checked),
            frontier=curve(self.problem),
            uniform=uniform_points(self.problem),
            stages=stages,
            peak_memory_bytes=facts.peak_memory_bytes(),
            files=(),
            environment=facts.environment(),
            warnings=facts.warnings(self.plan, self.measured),
            notes=self.notes,
            **toolchain.facts(self.built),
        )
