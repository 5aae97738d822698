"""The problem a search solves: every layer's options on this target, and how a budget is read."""

from collections.abc import Callable
from functools import cache

import numpy as np
import onnx_ir as ir

from spcompile.budget import Budget
from spcompile.compiler.sparsifier import Sparsifier
from spcompile.compiler.toolchains.toolchain import Predictor
from spcompile.ir.layer import Layer
from spcompile.ir.layers import find_layers, shared_weights, weight
from spcompile.patterns import Choice, Pattern
from spcompile.plan import Plan
from spcompile.progress import Progress
from spcompile.report.facts import PlanPoint
from spcompile.search import Problem, candidates, fastest_within, frontier, uniforms
from spcompile.search.candidates import Takes, fits
from spcompile.search.shared import agreed
from spcompile.targets import Device

FRONTIER_POINTS = 40
RECOVERABLE = 4  # times the loss allowed: plans that lose more before recovery are not worth one
BOLD_EVALUATIONS = 4  # on top of those that found the fastest plan without recovery
RECOVERIES = 3  # plans tried: each takes all the time that recovery is given


def problem_of(
    model: ir.Model,
    predictor: Predictor,
    target: Device,
    threads: int,
    patterns: tuple[Pattern, ...],
    error: Callable[[Layer, Choice], float],
    progress: Progress,
    takes: Takes = fits,
) -> Problem:
    """Candidates of every layer; zeros that a layer has already do no harm."""
    layers, zeros, found = find_layers(model), _Zeros(model), []

    def harm(layer: Layer, choice: Choice) -> float:
        return 0.0 if zeros.hold(layer, choice) else error(layer, choice)

    with progress.stage("weigh options", len(layers)) as advance:
        for layer in layers:
            found.append(candidates(layer, patterns, predictor, harm, zeros.present, takes))
            advance()
    places = {layer.name: place for place, layer in enumerate(layers)}
    together = tuple(tuple(places[name] for name in names) for names in shared_weights(layers).values())
    return Problem(target.name, threads, agreed(found, together), predictor.fixed, together)


class _Zeros:
    """Those that a network's layers have already. What was found in a layer is kept: every level of a pattern asks for it again."""

    def __init__(self, model: ir.Model):
        self._model = model
        self.present, self._share = cache(self._present), cache(self._counted)

    def hold(self, layer: Layer, choice: Choice) -> bool:
        """Has the layer the pattern at this level?"""
        pattern = choice.pattern
        if pattern.fixed_sparsity is None:
            return choice.sparsity <= self.present(layer, pattern)
        return self._share(layer) >= pattern.fixed_sparsity and bool(pattern.check(weight(self._model, layer) != 0))

    def _present(self, layer: Layer, pattern: Pattern) -> float:
        """Share of zeros in whole units of the pattern."""
        return pattern.present(weight(self._model, layer)) if self._share(layer) >= pattern.sparsities(layer)[0] else 0.0

    def _counted(self, layer: Layer) -> float:
        """Share of single weights: no pattern has more, so that most layers need no second look."""
        return 1 - np.count_nonzero(weight(self._model, layer)) / (layer.rows * layer.columns)


def limit_s(budget: Budget | None, problem: Problem) -> float | None:
    if budget is None:
        return None
    return budget.limit_s(problem.dense_s)


def fastest(problem: Problem, sparsifier: Sparsifier, score: Callable[[ir.Model], float], before: float, max_drop: float) -> Plan:
    """The fastest plan seen to lose at most `max_drop`, recovered where time for that is given: then from those that one-shot pruning brings near.

    score: accuracy of a model as the target computes it; before: of the network as it was given.
    """

    def pruned(plan: Plan) -> float:
        return score(sparsifier.pruned(plan).model)

    def recovered(plan: Plan) -> float:
        return score(sparsifier.recovered(plan).model)

    kept, trials = fastest_within(problem, pruned, before, max_drop)
    if sparsifier.recover_s is None:
        return kept.plan
    bold, _ = fastest_within(problem, pruned, before, RECOVERABLE * max_drop, BOLD_EVALUATIONS, trials)
    return fastest_within(problem, recovered, before, max_drop, RECOVERIES, (kept,), bold.plan.latency.expected_s)[0].plan


def curve(problem: Problem) -> tuple[PlanPoint, ...]:
    """The least error at each latency, as real plans."""
    points = frontier(problem.tables, FRONTIER_POINTS) if problem.layers else []
    return tuple(PlanPoint("", problem.fixed.expected_s + cost_s, error) for cost_s, error in points)


def uniform_points(problem: Problem) -> tuple[PlanPoint, ...]:
    return tuple(PlanPoint(plan.choice.notation, plan.latency_s, plan.error) for plan in uniforms(problem)) if problem.layers else ()
