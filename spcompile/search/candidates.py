"""What each layer could be given, what it costs in time and harm, and why not the rest."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from spcompile.costs.latency import Latency
from spcompile.ir.layer import Layer
from spcompile.patterns import Choice, Pattern, parse
from spcompile.plan import Option, Refusal
from spcompile.verdict import Verdict

Predict = Callable[[Layer, Choice], Latency]
Error = Callable[[Layer, Choice], float]  # harm to the network's output, >= 0, adds up over layers
Present = Callable[[Layer, Pattern], float]  # share of zeros that the layer's weights have in this pattern already
Takes = Callable[[Layer, Pattern], Verdict]  # can the layer's matrix hold the pattern, and has the target a kernel for it?
DENSE = Choice(parse("dense"), 0.0)


@dataclass(frozen=True)
class Candidates:
    """One layer's options, dense first; every other one is predicted faster than dense. What is missing is in `refusals`."""

    layer: Layer
    options: tuple[Option, ...]
    refusals: tuple[Refusal, ...]

    def __post_init__(self):
        assert self.dense.choice == DENSE and self.dense.error == 0, self.layer.name
        assert all(option.error >= 0 for option in self.options), self.layer.name

    @property
    def dense(self) -> Option:
        return self.options[0]

    @property
    def table(self) -> list[tuple[float, float]]:
        """(cost_s, error) of every option, as the knapsack reads them."""
        return [(option.latency.expected_s, option.error) for option in self.options]


@dataclass(frozen=True)
class Problem:
    """Everything a search needs but the budget. `fixed` is the time of all that has no choice.

    together: positions of layers that share a weight. One choice holds for all of them: they have the same choices, in the same order.
    """

    target: str
    threads: int
    layers: tuple[Candidates, ...]
    fixed: Latency
    together: tuple[tuple[int, ...], ...] = ()

    def __post_init__(self):
        for group in self.together:
            assert len({tuple(option.choice for option in self.layers[place].options) for place in group}) == 1, group

    @property
    def dense_s(self) -> float:
        """Of the network with every layer dense."""
        return self.fixed.expected_s + sum(layer.dense.latency.expected_s for layer in self.layers)

    @property
    def decisions(self) -> tuple[tuple[int, ...], ...]:
        """Positions of the layers that each decision is for: one layer, or all of a weight."""
        joined = {place: group for group in self.together for place in group}
        return tuple(dict.fromkeys(joined.get(place, (place,)) for place in range(len(self.layers))))

    @property
    def tables(self) -> list[list[tuple[float, float]]]:
        """Of each decision (cost_s, error) of every option, as the knapsack reads them: sums over its layers."""
        tables = [[self.layers[place].table for place in places] for places in self.decisions]
        return [[tuple(map(sum, zip(*option, strict=True))) for option in zip(*members, strict=True)] for members in tables]

    def spread(self, picks: Sequence[int]) -> tuple[int, ...]:
        """An option's index for each decision -> for each layer."""
        found = {place: pick for places, pick in zip(self.decisions, picks, strict=True) for place in places}
        return tuple(found[place] for place in range(len(self.layers)))

    def scaled(self, factor: float) -> "Problem":
        """The same on a machine `factor` times slower."""
        scaled = self._with_options(lambda _, option: replace(option, latency=option.latency.scaled(factor)))
        return replace(scaled, fixed=self.fixed.scaled(factor))

    def weighed(self, factors: Mapping[str, float]) -> "Problem":
        """The same with the errors of these layers, by name, multiplied."""
        return self._with_options(lambda layer, option: replace(option, error=option.error * factors.get(layer.name, 1.0)))

    def _with_options(self, changed: Callable[[Layer, Option], Option]) -> "Problem":
        layers = tuple(replace(entry, options=tuple(changed(entry.layer, option) for option in entry.options)) for entry in self.layers)
        return replace(self, layers=layers)


def fits(layer: Layer, pattern: Pattern) -> Verdict:
    """The `Takes` of a target that has a kernel for every pattern."""
    return pattern.fits(layer)


def candidates(layer: Layer, patterns: Sequence[Pattern], predict: Predict, error: Error, present: Present, takes: Takes) -> Candidates:
    """Options of one layer: dense, then every level of every pattern that it takes and that is faster. Errors are asked for these only."""
    timed, refusals = timed_choices(layer, patterns, predict, present, takes)
    dense_s = timed[0][1].expected_s
    paying = [Option(choice, latency, error(layer, choice)) for choice, latency in timed[1:] if latency.expected_s < dense_s]
    slow = {}
    for choice, latency in timed[1:]:
        if latency.expected_s >= dense_s:
            slow.setdefault(choice.pattern, []).append((choice.sparsity, latency.expected_s / dense_s))
    return Candidates(layer, (Option(*timed[0], 0.0), *paying), (*refusals, *(_never_pays(pattern, levels) for pattern, levels in slow.items())))


def timed_choices(
    layer: Layer, patterns: Sequence[Pattern], predict: Predict, present: Present, takes: Takes
) -> tuple[tuple[tuple[Choice, Latency], ...], tuple[Refusal, ...]]:
    """-> every choice the layer can take with its time, slow ones too, dense first; and the patterns it cannot take."""
    verdicts = {pattern: takes(layer, pattern) for pattern in patterns if pattern != DENSE.pattern}
    choices = [DENSE, *(Choice(pattern, level) for pattern, verdict in verdicts.items() if verdict for level in levels(layer, pattern, present))]
    refusals = tuple(Refusal(pattern.notation, verdict.reason) for pattern, verdict in verdicts.items() if not verdict)
    return tuple((choice, predict(layer, choice)) for choice in choices), refusals


def levels(layer: Layer, pattern: Pattern, present: Present) -> tuple[float, ...]:
    """The pattern's levels for this layer; those below the zeros that are there already give way to exactly these."""
    offered = pattern.sparsities(layer)
    share = 0.0 if pattern.fixed_sparsity is not None else present(layer, pattern)
    if share < offered[0]:
        return offered
    return (share, *(level for level in offered if level > share))


def _never_pays(pattern: Pattern, slow: list[tuple[float, float]]) -> Refusal:
    """slow: (sparsity, time as a multiple of dense's), ascending in sparsity."""
    (first, most), (last, least) = slow[0], slow[-1]
    if first == last:
        return Refusal(pattern.notation, f"at {first:.3g} zeros predicted {most:.2f}x the time of dense here")
    return Refusal(pattern.notation, f"at {first:.3g} to {last:.3g} zeros predicted {most:.2f}x to {least:.2f}x the time of dense here")
