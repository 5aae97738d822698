"""Every weight is kept."""

from dataclasses import dataclass

import numpy as np

from spcompile.ir.layer import Layer
from spcompile.patterns.base import Pattern
from spcompile.verdict import Verdict


@dataclass(frozen=True)
class Dense(Pattern):
    """The option every layer has. Its kernel is the gather-offset product at density 1."""

    notation = "dense"
    fixed_sparsity = 0.0

    def unit(self, shape: tuple[int, int]) -> tuple[int, int]:
        return 1, 1

    def holds(self, layer: Layer) -> Verdict:
        return Verdict.yes()

    def fits(self, layer: Layer) -> Verdict:
        return Verdict.yes()

    def check(self, mask: np.ndarray) -> Verdict:
        zeros = mask.size - int(mask.sum())
        return Verdict.no(f"dense keeps every weight, the mask drops {zeros} of {mask.size}") if zeros else Verdict.yes()
