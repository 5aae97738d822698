"""The same number of weights stays in every group of a row."""

from dataclasses import dataclass

from spcompile.ir.layer import Layer
from spcompile.patterns.base import Pattern
from spcompile.verdict import Verdict


@dataclass(frozen=True)
class Balanced(Pattern):
    """Each row is cut into groups of `of` neighbouring columns, and every group keeps equally many: 16, 8, ... or 1 of 32.

    Bank-balanced sparsity (Cao et al. 2019, "Efficient and Effective Sparse LSTM on FPGA with Bank-Balanced Sparsity", section 3): every multiplier of
    a row has its bank and all finish together. Unlike N:M the level is free, and groups may straddle the taps of a kernel.
    """

    of: int = 32

    def __post_init__(self):
        assert self.of > 1 and self.of & (self.of - 1) == 0, self

    @property
    def notation(self) -> str:
        return f"balanced{self.of}"

    @property
    def group(self) -> tuple[int, int]:
        """At the mildest level."""
        return self.of // 2, self.of

    @property
    def levels(self) -> tuple[float, ...]:
        """Halved from group to group: 2x, 4x, ... up to one weight a group."""
        return tuple(1 - 1 / factor for factor in (2**power for power in range(1, self.of.bit_length())))

    def unit(self, shape: tuple[int, int]) -> tuple[int, int]:
        return 1, 1

    def holds(self, layer: Layer) -> Verdict:
        return Verdict.no(f"{layer.columns} columns are not a multiple of {self.of}") if layer.columns % self.of else Verdict.yes()
