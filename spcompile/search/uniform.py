"""The baseline: one pattern and level wherever it fits."""

from dataclasses import dataclass

from spcompile.patterns import Choice
from spcompile.search.candidates import DENSE, Candidates, Problem


@dataclass(frozen=True)
class Uniform:
    """The same choice for all layers; those that cannot take it, or would be slower for it, stay dense."""

    choice: Choice
    picks: tuple[int, ...]  # an option's index per layer
    latency_s: float  # of the whole network
    error: float


def uniforms(problem: Problem) -> tuple[Uniform, ...]:
    """Dense, then every level of every pattern that any layer can take, ascending in sparsity within a pattern."""
    patterns = dict.fromkeys(option.choice.pattern for layer in problem.layers for option in layer.options[1:])
    choices = [DENSE, *(Choice(pattern, level) for pattern in patterns for level in pattern.levels)]
    return tuple(_uniform(problem, choice) for choice in choices)


def _uniform(problem: Problem, choice: Choice) -> Uniform:
    picks = tuple(_pick(layer, choice) for layer in problem.layers)
    chosen = [layer.options[pick] for layer, pick in zip(problem.layers, picks, strict=True)]
    latency_s = problem.fixed.expected_s + sum(option.latency.expected_s for option in chosen)
    return Uniform(choice, picks, latency_s, sum(option.error for option in chosen))


def _pick(layer: Candidates, choice: Choice) -> int:
    """The option that this level comes to in this layer, else the zeros that are there already if they go further, else dense."""
    for index, option in enumerate(layer.options[1:], start=1):
        if option.choice.pattern == choice.pattern:
            share = choice.pattern.share(layer.layer, choice.sparsity)
            if option.choice.sparsity == share or (option.choice.sparsity > share and option.error == 0):
                return index
    return 0
