"""The problem a search solves: every layer's options on this target, and how a budget is read."""

from collections.abc import Callable

import numpy as np
import onnx_ir as ir

from spcompile.budget import Budget
from spcompile.compiler.inputs import Evaluation
from spcompile.compiler.sparsifier import Sparsifier
from spcompile.ir.layer import Layer
from spcompile.ir.layers import find_layers, weight
from spcompile.lowering.lower import Lowered
from spcompile.lowering.predict import Predictor
from spcompile.patterns import Choice, Pattern
from spcompile.plan import Plan
from spcompile.progress import Progress
from spcompile.report.facts import PlanPoint
from spcompile.search import Problem, candidates, fastest_within, frontier, uniforms
from spcompile.targets.target import Target

FRONTIER_POINTS = 40
RECOVERABLE = 10  # times the loss allowed: plans that lose more before recovery are not worth one
RECOVERIES = 3  # plans tried: each takes all the time that recovery is given


def problem_of(
    model: ir.Model,
    lowered: Lowered,
    target: Target,
    threads: int,
    patterns: tuple[Pattern, ...],
    error: Callable[[Layer, Choice], float],
    progress: Progress,
) -> Problem:
    """Candidates of every layer; zeros that a layer has already do no harm."""
    predictor = Predictor(lowered, target, threads)
    layers = find_layers(model)
    found = []

    def present(layer: Layer, pattern: Pattern) -> float:
        return pattern.present(weight(model, layer))

    def harm(layer: Layer, choice: Choice) -> float:
        return 0.0 if _holds_already(weight(model, layer), choice) else error(layer, choice)

    with progress.stage("weigh options", len(layers)) as advance:
        for layer in layers:
            found.append(candidates(layer, patterns, predictor, harm, present))
            advance()
    return Problem(target.name, threads, tuple(found), predictor.fixed)


def _holds_already(matrix: np.ndarray, choice: Choice) -> bool:
    if matrix.all():
        return False
    if choice.pattern.fixed_sparsity is not None:
        return bool(choice.pattern.check(matrix != 0))
    return choice.sparsity <= choice.pattern.present(matrix)


def limit_s(budget: Budget | None, problem: Problem) -> float | None:
    if budget is None:
        return None
    return budget.limit_s(problem.dense_s)


def fastest(problem: Problem, sparsifier: Sparsifier, evaluation: Evaluation, before: float, max_drop: float) -> Plan:
    """The fastest plan seen to lose at most `max_drop`, recovered where time for that is given: then from those that one-shot pruning brings near."""

    def pruned(plan: Plan) -> float:
        return evaluation.score(sparsifier.pruned(plan).model)

    def recovered(plan: Plan) -> float:
        return evaluation.score(sparsifier.recovered(plan).model)

    if sparsifier.recover_s is None:
        return fastest_within(problem, pruned, before, max_drop)[0].plan
    bold, trials = fastest_within(problem, pruned, before, RECOVERABLE * max_drop)
    known = min((trial for trial in trials if before - trial.accuracy <= max_drop), key=lambda trial: trial.plan.latency.expected_s, default=None)
    return fastest_within(problem, recovered, before, max_drop, RECOVERIES, known, bold.plan.latency.expected_s)[0].plan


def curve(problem: Problem) -> tuple[PlanPoint, ...]:
    """The least error at each latency, as real plans."""
    points = frontier([layer.table for layer in problem.layers], FRONTIER_POINTS) if problem.layers else []
    return tuple(PlanPoint("", problem.fixed.expected_s + cost_s, error) for cost_s, error in points)


def uniform_points(problem: Problem) -> tuple[PlanPoint, ...]:
    return tuple(PlanPoint(plan.choice.notation, plan.latency_s, plan.error) for plan in uniforms(problem)) if problem.layers else ()
