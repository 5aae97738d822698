"""Whole out channels are zero."""

from dataclasses import dataclass

from spcompile.ir.layer import Layer
from spcompile.patterns.base import Pattern
from spcompile.verdict import Verdict


@dataclass(frozen=True)
class Channel(Pattern):
    """A row is kept or gone. The gentlest for any kernel and the harshest for accuracy, so its levels start low."""

    notation = "channel"
    levels = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8)

    def unit(self, shape: tuple[int, int]) -> tuple[int, int]:
        return 1, shape[1]

    def holds(self, layer: Layer) -> Verdict:
        return Verdict.yes() if layer.rows > 1 else Verdict.no("the layer has a single row")
