"""What a plan makes of the network's weights."""

from dataclasses import dataclass, field
from functools import cached_property

import onnx_ir as ir

from spcompile.ir.session import Session
from spcompile.plan import Plan
from spcompile.progress import Progress
from spcompile.pruning import Calibration, Pruned, Pruner, prune
from spcompile.pruning.calibration import parted, samples
from spcompile.pruning.distortion import distortion
from spcompile.pruning.influence import RowFactors, influence
from spcompile.pruning.scores import scored
from spcompile.pruning.trials import JUDGING_SHARE, QUICK

LEAST_JUDGES = 4  # of the samples; where a share of them is fewer, all both fit the weights and judge them


@dataclass(frozen=True)
class Sparsifier:
    """Prunes a plan, and recovers it where time was given for that; each plan once, however often it is asked for."""

    model: ir.Model
    data: Calibration | None
    learned: Calibration | None  # of them, samples that a recovery may fit weights to
    judged: Calibration | None  # samples that judge a recovery
    rows: RowFactors | None  # with the data's `counted` measured once, for all plans
    pruner: Pruner
    seed: int
    recover_s: float | None
    progress: Progress
    done: dict[tuple, Pruned] = field(default_factory=dict)

    @classmethod
    def of(cls, model: ir.Model, data: Calibration | None, pruner: Pruner, seed: int, recover_s: float | None, progress: Progress) -> "Sparsifier":
        """DataError when the data are too few to recover with."""
        rows, data = (None, None) if data is None else influence(model, data, seed)
        if recover_s is None:
            return cls(model, data, data, None, rows, pruner, seed, None, progress)
        from spcompile.training import held_out

        return cls(model, data, *held_out(data, model, seed), rows, pruner, seed, recover_s, progress)

    def pruned(self, plan: Plan) -> Pruned:
        return self._once("pruned", plan, lambda plan: self._prune(plan, self.pruner, self.data))

    def recovered(self, plan: Plan) -> Pruned:
        """There must be time for it. From weights that the samples that judge had no part in; `pruned` has all samples."""
        return self._once("recovered", plan, self._recover)

    def masked(self, plan: Plan) -> Pruned:
        """With the zeros that the plan ends with: recovery keeps those it begins with."""
        return self.pruned(plan) if self.recover_s is None else self._once("learned", plan, lambda plan: self._prune(plan, self.pruner, self.learned))

    def harm(self, plan: Plan) -> float:
        """Relative squared error of the outputs; pruned quickly, together and in order, so nothing is added up. There must be calibration data.

        Samples that the weights were fitted to cannot judge: with 32 of them late layers learn what they should answer by heart.
        """
        fitted, judges, dense = self._trial
        pruned = self._prune(plan, QUICK, fitted) if self.pruner.needs_data else self.pruned(plan)
        return distortion(zip(dense, Session(scored(pruned.model)).batches(judges.feeds), strict=True))

    @cached_property
    def _trial(self) -> tuple[Calibration, Calibration, list]:
        """Samples to fit, samples to judge, and the dense network's outputs for those."""
        judging = round(JUDGING_SHARE * samples(self.learned, self.model))
        fitted, judges = parted(self.learned, self.model, judging, self.seed) if judging >= LEAST_JUDGES else (self.learned, self.learned)
        return fitted, judges, list(Session(scored(self.model)).batches(judges.feeds))

    def _once(self, stage: str, plan: Plan, make) -> Pruned:
        key = (stage, *plan.pruned.items())
        if key not in self.done:
            self.done[key] = make(plan)
        return self.done[key]

    def _prune(self, plan: Plan, pruner: Pruner, data: Calibration | None) -> Pruned:
        choices = plan.pruned
        return prune(self.model, choices, data, pruner, self.seed, self.progress, self.rows) if choices else Pruned(self.model, {})

    def _recover(self, plan: Plan) -> Pruned:
        from spcompile.training import recover, state_folder

        return recover(self.model, self.masked(plan), plan.pruned, self.learned, self.judged, self.recover_s, self.seed, self.progress, state_folder())
