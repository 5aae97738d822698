"""The plan: least harm within the budget, or the fastest there is."""

from collections.abc import Callable, Sequence
from functools import partial

from spcompile.plan import LayerPlan, Option, Plan
from spcompile.search.candidates import Candidates, Problem
from spcompile.search.knapsack import solve
from spcompile.search.reasons import fastest, shared, weighed
from spcompile.search.relaxation import Fronts, within
from spcompile.search.shared import joint


def choose(problem: Problem, budget_s: float | None) -> Plan:
    """budget_s: for the whole network, `problem.fixed` included. None asks for speed that does no harm at all.

    A budget nothing holds gives the fastest plan, `feasible` False.
    """
    assert budget_s is None or budget_s > 0, budget_s
    tables = problem.tables
    left_s = float("inf") if budget_s is None else budget_s - problem.fixed.expected_s
    picks = solve(tables, left_s)
    if picks is None:
        return assemble(problem, problem.spread(list(map(_fastest, tables))), budget_s, fastest)
    _, price = Fronts.of(tables).greedy(left_s)
    return assemble(problem, problem.spread(picks), budget_s, partial(weighed, price=price))


def assemble(problem: Problem, picks: Sequence[int], budget_s: float | None, why: Callable[[Candidates, Option], str]) -> Plan:
    """picks: an option's index per layer. why: says it of a layer and its chosen option; of layers that share a weight, as if they were one."""
    chosen = [layer.options[pick] for layer, pick in zip(problem.layers, picks, strict=True)]
    total_s = problem.fixed.expected_s + sum(option.latency.expected_s for option in chosen)
    reasons = {place: reason for places in problem.decisions for reason in [_why(problem, places, picks, why)] for place in places}
    layers = tuple(
        LayerPlan(layer.layer, layer.dense, option, layer.options, layer.refusals, reasons[place])
        for place, (layer, option) in enumerate(zip(problem.layers, chosen, strict=True))
    )
    return Plan(problem.target, problem.threads, layers, problem.fixed, budget_s, budget_s is None or within(total_s, budget_s))


def _why(problem: Problem, places: tuple[int, ...], picks: Sequence[int], why: Callable[[Candidates, Option], str]) -> str:
    """Of one decision; places: of its layers."""
    whole = joint([problem.layers[place] for place in places])
    return shared(why(whole, whole.options[picks[places[0]]]), len(places))


def _fastest(table: list[tuple[float, float]]) -> int:
    return min(range(len(table)), key=table.__getitem__)
