"""One compilation, from the network as given to the written artifact."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

import onnx_ir as ir

from spcompile.budget import Budget
from spcompile.compiler import facts
from spcompile.compiler.inputs import calibration_of, evaluation_of, prepared
from spcompile.compiler.planning import curve, fastest, limit_s, problem_of, uniform_points
from spcompile.compiler.sparsifier import Sparsifier
from spcompile.compiler.toolchains import Toolchain
from spcompile.compiler.toolchains.toolchain import Timer
from spcompile.compiler.trust import trusted
from spcompile.compiler.writing import write
from spcompile.plan import Plan
from spcompile.progress import Progress
from spcompile.pruning import Pruned, Pruner, permuted
from spcompile.pruning.errors import ErrorModel, measure_errors
from spcompile.report.facts import Measurement, Request, Stage
from spcompile.report.report import Report
from spcompile.runtime import artifact
from spcompile.search import Problem, choose
from spcompile.verdict import Verdict

NOTHING_TO_PRUNE = "the model has no layer that can be pruned: it was compiled dense"


@dataclass(frozen=True)
class Result:
    """What `compile` gives back; `artifact` is the folder that was written."""

    plan: Plan
    report: Report
    artifact: Path


@dataclass
class Job:
    """One compilation: the settings, and the stages' times."""

    source: object
    name: str
    asked: str
    toolchain: Toolchain
    budget: Budget | None
    drop: float | None
    patterns: tuple
    pruner: Pruner
    recover_s: float | None
    seed: int
    measure: bool
    progress: Progress

    def __post_init__(self):
        self.stages: list[Stage] = []

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        started = time.perf_counter()
        yield
        self.stages.append(Stage(name, time.perf_counter() - started))

    def run(self, request: Request, input_shapes, example_inputs, calibration, evaluate, finetune, folder: Path) -> Result:
        with self.stage("load"), self.progress.stage("load"):
            model = prepared(self.source, input_shapes, example_inputs)
            self.toolchain.check(model)
            data = calibration_of(calibration, model)
            if finetune is None and any(pattern.block_rows > 1 for pattern in self.patterns):  # a module that is fine-tuned has its rows as they are
                model = permuted(model, data)
            evaluation = evaluation_of(evaluate, model, os.cpu_count() or 1)
            sparsifier = Sparsifier.of(model, data, self.pruner, self.seed, self.recover_s, self.progress)

        def score(pruned: ir.Model) -> float:
            return evaluation.score(self.toolchain.deployed(pruned, data))

        with self.stage("plan"):
            timer = self.toolchain.timer(model)
            errors = measure_errors(model, data, self.patterns, self.seed, self.progress)
            problem, notes = self._problem(model, errors, timer)
        before = evaluation.score(model) if evaluation is not None else None
        limit = limit_s(self.budget, problem)
        with self.stage("search"):
            if limit is not None and data is not None:
                problem = trusted(problem, errors.sensitivities, limit, sparsifier.harm)
            if limit is None and self.drop is not None:
                plan = fastest(problem, sparsifier, score, before, self.drop)
            elif limit is not None and self.measure and timer.verdict:
                plan = timer.search(problem, limit, lambda plan: sparsifier.pruned(plan).model, self.progress)
            else:
                plan = choose(problem, limit)
        with self.stage("prune"):
            pruned = sparsifier.pruned(plan)
        between = score(pruned.model) if evaluation is not None and self.recover_s is not None else None
        if self.recover_s is not None:
            with self.stage("recover"):
                pruned = sparsifier.recovered(plan)
        if finetune is not None:
            with self.stage("finetune"):
                pruned = self._finetune(pruned, plan, finetune, input_shapes, example_inputs)
        after = score(pruned.model) if evaluation is not None else None
        with artifact.staged(folder) as stage:
            with self.stage("build"), self.progress.stage("build"):
                built = self.toolchain.build(pruned.model, data, stage)
            with self.stage("verify"), self.progress.stage("verify"):
                checked = self.toolchain.verify(built, pruned.model, data, stage, self.seed)
            with self.stage("measure"), self.progress.stage("measure"):
                measured = timer.compare(built)
            report = Report(
                created=datetime.now(timezone.utc).isoformat(timespec="seconds"),
                request=request,
                model=facts.model_facts(self.name, self.source, model, pruned.model),
                target=facts.target_facts(self.asked, self.toolchain.target),
                plan=plan,
                weights=facts.layer_weights(pruned.model),
                measured=measured,
                accuracy=facts.accuracy_facts(evaluation, before, between, after),
                calibration=facts.calibration_facts(data),
                verification=facts.verification_facts(checked),
                frontier=curve(problem),
                uniform=uniform_points(problem),
                stages=tuple(self.stages),
                peak_memory_bytes=facts.peak_memory_bytes(),
                files=(),
                environment=facts.environment(self.toolchain.threads),
                warnings=self._warnings(plan, before, after, measured),
                notes=(*pruned.notes, *notes),
                **self.toolchain.facts(built),
            )
            report = write(stage, self.toolchain, built, report, pruned.model, data)
        return Result(plan, report, folder)

    def _problem(self, model: ir.Model, errors: ErrorModel, timer: Timer) -> tuple[Problem, tuple[str, ...]]:
        """And notes on it. On the machine that is the target one measurement, of the dense network, corrects all predictions."""
        with self.progress.stage("lower"):
            predictor = self.toolchain.predictor(model)
        problem = problem_of(model, predictor, self.toolchain.target, self.toolchain.threads, self.patterns, errors.error, self.progress, self.toolchain.takes)
        if not timer.verdict or not (timer.is_target or self.measure):
            return problem, ()
        if self.measure:
            timer.tune(self.progress)
        with self.progress.stage("measure dense"):
            problem, note = timer.anchored(problem)
        return problem, (note,)

    def _finetune(self, pruned: Pruned, plan: Plan, finetune, input_shapes, example_inputs) -> Pruned:
        from spcompile.training import finetuned

        return finetuned(self.source, lambda: prepared(self.source, input_shapes, example_inputs), pruned, plan, finetune)

    def _warnings(self, plan: Plan, before, after, measured: Measurement | Verdict) -> tuple[str, ...]:
        found = [] if any(len(entry.options) > 1 for entry in plan.layers) else [NOTHING_TO_PRUNE]
        if self.drop is not None and before is not None and before - after > self.drop:
            found.append(f"accuracy falls by {before - after:.2%}, more than the {self.drop:.2%} allowed")
        if isinstance(measured, Measurement) and measured.disturbed:
            found.append("other work disturbed the measurements, see their quartiles: measure again on an idle machine")
        return tuple(found)
