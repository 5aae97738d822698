"""Any weight may be zero."""

from dataclasses import dataclass

from spcompile.ir.layer import Layer
from spcompile.patterns.base import Pattern
from spcompile.verdict import Verdict


@dataclass(frozen=True)
class Unstructured(Pattern):
    """Least harm for a given number of zeros; every row keeps a list of its own."""

    notation = "unstructured"

    def unit(self, shape: tuple[int, int]) -> tuple[int, int]:
        return 1, 1

    def holds(self, layer: Layer) -> Verdict:
        weights = layer.rows * layer.columns
        return Verdict.yes() if weights > 1 else Verdict.no("the layer is a single weight")
