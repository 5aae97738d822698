"""What would each pattern bring, layer by layer, before anything is pruned."""

from dataclasses import dataclass

from spcompile.costs.latency import Latency
from spcompile.ir.layer import Layer
from spcompile.patterns import Choice
from spcompile.plan import Refusal
from spcompile.report.facts import TargetFacts


@dataclass(frozen=True)
class WhatIf:
    """One layer's predicted time, were it given this choice."""

    choice: Choice
    latency: Latency


@dataclass(frozen=True)
class LayerInspection:
    """All that a layer could be given, and why not the rest. `options` holds no dense one."""

    layer: Layer
    dense: Latency
    options: tuple[WhatIf, ...]
    refusals: tuple[Refusal, ...]

    def of_pattern(self, notation: str) -> tuple[WhatIf, ...]:
        """Options of one pattern, ascending in sparsity; empty where it is refused."""
        return tuple(sorted((option for option in self.options if option.choice.pattern.notation == notation), key=lambda option: option.choice.sparsity))

    def nearest(self, notation: str, sparsity: float, slack: float) -> WhatIf | None:
        """The option of a pattern whose level lies nearest to `sparsity`, at most `slack` away."""
        near = [option for option in self.of_pattern(notation) if abs(option.choice.sparsity - sparsity) <= slack + 1e-9]
        return min(near, key=lambda option: abs(option.choice.sparsity - sparsity), default=None)

    def crossover(self, notation: str) -> Choice | None:
        """The least sparsity on offer from which on every level beats dense; None when the highest does not."""
        found = None
        for option in reversed(self.of_pattern(notation)):
            if option.latency.expected_s >= self.dense.expected_s:
                break
            found = option.choice
        return found


@dataclass(frozen=True)
class Inspection:
    """One model on one target. `fixed` is the time of everything that has no choice."""

    model: str
    target: TargetFacts
    threads: int
    fixed: Latency
    layers: tuple[LayerInspection, ...]

    @property
    def patterns(self) -> tuple[str, ...]:
        """Notations that at least one layer can take, in order of appearance."""
        return tuple(dict.fromkeys(option.choice.pattern.notation for entry in self.layers for option in entry.options))

    @property
    def dense_s(self) -> float:
        """The whole network with every layer dense."""
        return self.fixed.expected_s + sum(entry.dense.expected_s for entry in self.layers)

    def whole_s(self, notation: str, sparsity: float, slack: float = 0.04) -> float | None:
        """The whole network with this pattern at about this share of zeros wherever it fits, dense elsewhere; None when most layers have no such level.

        Blocks and channels cannot hit every share exactly: each layer takes its level nearest to `sparsity`, at most `slack` away.
        """
        near = [entry.nearest(notation, sparsity, slack) for entry in self.layers]
        if 2 * sum(option is not None for option in near) < len(near) or not near:
            return None
        latencies = (option.latency if option else entry.dense for option, entry in zip(near, self.layers, strict=True))
        return self.fixed.expected_s + sum(latency.expected_s for latency in latencies)
