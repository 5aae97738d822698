"""What was chosen for every layer, against what it was weighed, and why."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import add

from spcompile.costs.latency import Latency
from spcompile.ir.layer import Layer
from spcompile.patterns.choice import Choice


@dataclass(frozen=True)
class Option:
    """One candidate of one layer: its predicted time and the harm it is predicted to do to the network's output."""

    choice: Choice
    latency: Latency
    error: float  # >= 0; adds up over layers

    def __add__(self, other: "Option") -> "Option":
        """The same choice of two layers that are decided on together."""
        assert self.choice == other.choice, (self.choice, other.choice)
        return Option(self.choice, self.latency + other.latency, self.error + other.error)


def summed(options: Iterable[Sequence[Option]]) -> tuple[Option, ...]:
    """options: of each of several layers, the same choices in one order -> what each choice takes and harms in all of them."""
    return tuple(reduce(add, same) for same in zip(*options, strict=True))


@dataclass(frozen=True)
class Refusal:
    """A pattern that a layer cannot take, or that never pays there."""

    pattern: str  # notation
    reason: str


@dataclass(frozen=True)
class LayerPlan:
    """One layer's chosen option beside everything it was chosen from."""

    layer: Layer
    dense: Option
    chosen: Option
    options: tuple[Option, ...]  # all candidates, dense first
    refusals: tuple[Refusal, ...]
    why: str  # one sentence

    def __post_init__(self):
        assert self.chosen in self.options and self.dense is self.options[0], self.layer.name


@dataclass(frozen=True)
class Plan:
    """One option per layer. `fixed` is the time of everything that has no choice."""

    target: str
    threads: int
    layers: tuple[LayerPlan, ...]
    fixed: Latency
    budget_s: float | None
    feasible: bool

    @property
    def latency(self) -> Latency:
        return reduce(add, (entry.chosen.latency for entry in self.layers), self.fixed)

    @property
    def dense_latency(self) -> Latency:
        return reduce(add, (entry.dense.latency for entry in self.layers), self.fixed)

    @property
    def error(self) -> float:
        return sum(entry.chosen.error for entry in self.layers)

    @property
    def choices(self) -> dict[str, Choice]:
        """Layer name -> choice."""
        return {entry.layer.name: entry.chosen.choice for entry in self.layers}

    @property
    def pruned(self) -> dict[str, Choice]:
        """Of the layers that do not stay dense: what pruning is told."""
        return {name: choice for name, choice in self.choices.items() if choice.sparsity > 0}
