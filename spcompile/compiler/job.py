"""One compilation, from the network as given to the written artifact."""

from dataclasses import dataclass, field, replace
from pathlib import Path

import onnx_ir as ir

from spcompile.budget import Budget
from spcompile.compiler import facts
from spcompile.compiler.blame import blamed
from spcompile.compiler.inputs import calibration_of, evaluation_of, prepared
from spcompile.compiler.loaded import Loaded
from spcompile.compiler.outcome import Outcome
from spcompile.compiler.planning import fastest, limit_s, problem_of
from spcompile.compiler.sparsifier import Sparsifier
from spcompile.compiler.stages import Stages
from spcompile.compiler.toolchains import Toolchain
from spcompile.compiler.toolchains.toolchain import Timer
from spcompile.compiler.trust import trusted
from spcompile.compiler.writing import write
from spcompile.ir.layer import Layer
from spcompile.patterns import Pattern
from spcompile.plan import Plan
from spcompile.progress import Progress
from spcompile.pruning import Pruned, Pruner, permuted
from spcompile.pruning.errors import ErrorModel, measure_errors
from spcompile.report.facts import Request
from spcompile.report.headline import headline
from spcompile.report.report import Report
from spcompile.runtime import artifact
from spcompile.search import Problem, choose
from spcompile.targets.system import cores
from spcompile.verdict import Verdict

RECOVERY_LOST = "recovery brought this plan below what pruning alone had left of its accuracy: the weights are those before it"


@dataclass(frozen=True, repr=False)
class Result:
    """What `compile` gives back; `artifact` is the folder that was written."""

    plan: Plan
    report: Report
    artifact: Path

    def __repr__(self) -> str:
        """One line: written out, the plan alone has every option of every layer."""
        return f"<Result: {headline(self.report)}; {self.artifact}>"


@dataclass
class Job:
    """One compilation: the settings, and the stages' times."""

    source: object
    name: str
    asked: str | Path
    toolchain: Toolchain
    budget: Budget | None
    drop: float | None
    patterns: tuple
    pruner: Pruner
    recover_s: float | None
    seed: int
    measure: bool
    progress: Progress
    stage: Stages = field(default_factory=Stages, init=False)

    def run(self, request: Request, input_shapes, example_inputs, calibration, evaluate, finetune, folder: Path) -> Result:
        given = (self.source, input_shapes, example_inputs)
        with blamed(*given), self.stage("load"), self.progress.stage("load"):
            loaded = self._load(input_shapes, example_inputs, calibration, evaluate, in_order=finetune is not None)
        before = loaded.dense_score()  # first: labels that are wrong, or a function that fails, show in it
        timer = self.toolchain.timer(loaded.model)
        with blamed(*given), self.stage("plan"):
            errors = measure_errors(loaded.model, loaded.data, self.patterns, self.seed, self.progress, loaded.sparsifier.rows, cores())
            problem, notes = self._problem(loaded.model, errors, timer)
        with self.stage("search"):
            problem, plan = self._search(loaded, problem, errors, timer, before)
        pruned, between = self._pruned(loaded, plan)
        if finetune is not None:
            with self.stage("finetune"):
                pruned = self._finetune(pruned, plan, finetune, input_shapes, example_inputs)
        accuracy = facts.accuracy_facts(loaded.evaluation, before, between, loaded.score(pruned))
        with artifact.staged(folder) as stage:
            outcome = Outcome(loaded, problem, plan, pruned, accuracy, (*pruned.notes, *notes), *self._build(loaded, pruned, timer, stage))
            report = outcome.report(request, self.name, self.source, self.asked, self.stage.done)
            report = write(stage, self.toolchain, outcome.built, report, pruned.model, loaded.data)
        return Result(plan, report, folder)

    def _load(self, input_shapes, example_inputs, calibration, evaluate, in_order: bool) -> Loaded:
        """in_order: channels stay where they are, as in the module that will be fine-tuned."""
        model = prepared(self.source, input_shapes, example_inputs)
        self.toolchain.check(model)
        data, evaluation = calibration_of(calibration, model), evaluation_of(evaluate, model, cores())
        if not in_order:
            model = permuted(model, self.toolchain.taken(model, self.patterns), data, cores())
        sparsifier = Sparsifier.of(model, data, self.pruner, self.seed, self.recover_s, self.progress)
        return Loaded(model, sparsifier.data, evaluation, sparsifier, self.toolchain)

    def _search(self, loaded: Loaded, problem: Problem, errors: ErrorModel, timer: Timer, before: float | None) -> tuple[Problem, Plan]:
        """The plan, and the problem that it is the answer to."""
        limit = limit_s(self.budget, problem)
        if limit is None and self.drop is not None:
            return problem, fastest(problem, loaded.sparsifier, loaded.deployed_score, before, self.drop)
        if limit is not None and loaded.data is not None:
            problem = trusted(problem, errors.sensitivities, limit, loaded.sparsifier.harm)
        if limit is not None and self.measure and timer.verdict:
            return problem, timer.search(problem, limit, lambda plan: loaded.sparsifier.masked(plan).model, self.progress)
        return problem, choose(problem, limit)

    def _pruned(self, loaded: Loaded, plan: Plan) -> tuple[Pruned, float | None]:
        """And the score before recovery, where there is one."""
        with self.stage("prune"):
            pruned = loaded.sparsifier.pruned(plan)
        if self.recover_s is None:
            return pruned, None
        between = loaded.score(pruned)
        with self.stage("recover"):
            recovered = loaded.sparsifier.recovered(plan)
        if self.drop is not None and loaded.score(recovered) < between:
            return replace(pruned, notes=(*pruned.notes, RECOVERY_LOST)), between
        return recovered, between

    def _build(self, loaded: Loaded, pruned: Pruned, timer: Timer, stage: Path):
        """-> what was built, how it compares with the reference, and how long it takes."""
        if self.measure and timer.verdict:
            timer.tune(pruned.model, self.progress)
        with self.stage("build"), self.progress.stage("build"):
            built = self.toolchain.build(pruned.model, loaded.data, stage)
        with self.stage("verify"), self.progress.stage("verify"):
            checked = self.toolchain.verify(built, pruned.model, loaded.data, stage, self.seed)
        with self.stage("measure"), self.progress.stage("measure"):
            return built, checked, timer.compare(built)

    def _problem(self, model: ir.Model, errors: ErrorModel, timer: Timer) -> tuple[Problem, tuple[str, ...]]:
        """And notes on it. On the machine that is the target one measurement, of the dense network, corrects all predictions."""
        with self.progress.stage("lower"):
            predictor = self.toolchain.predictor(model)
        problem = problem_of(model, predictor, self.toolchain.target, self.toolchain.threads, self.patterns, errors.error, self.progress, self._takes)
        if not timer.verdict or not (timer.is_target or self.measure):
            return problem, ()
        if self.measure:
            timer.tune_dense(self.progress)
        with self.progress.stage("measure dense"):
            problem, note = timer.anchored(problem)
        return problem, (note,)

    def _takes(self, layer: Layer, pattern: Pattern) -> Verdict:
        return self.toolchain.takes(layer, pattern) and self.pruner.can(pattern)

    def _finetune(self, pruned: Pruned, plan: Plan, finetune, input_shapes, example_inputs) -> Pruned:
        from spcompile.training import finetuned

        return finetuned(self.source, lambda: prepared(self.source, input_shapes, example_inputs), pruned, plan, finetune)
