"""At most N of every M neighbouring in-channels."""

from dataclasses import dataclass

from spcompile.ir.layer import Layer
from spcompile.patterns.base import Pattern
from spcompile.verdict import Verdict


@dataclass(frozen=True)
class NOfM(Pattern):
    """Each row keeps `kept` of every `of` neighbouring columns; neighbours are in-channels of one tap, so groups never straddle taps.

    NVIDIA's 2:4 (Mishra et al. 2021, "Accelerating Sparse Deep Neural Networks", section 3) in the same counting: N is what stays.
    """

    kept: int
    of: int

    def __post_init__(self):
        assert 0 < self.kept < self.of, self

    @property
    def notation(self) -> str:
        return f"{self.kept}:{self.of}"

    @property
    def group(self) -> tuple[int, int]:
        return self.kept, self.of

    @property
    def fixed_sparsity(self) -> float:
        return 1 - self.kept / self.of

    def unit(self, shape: tuple[int, int]) -> tuple[int, int]:
        return 1, 1

    def holds(self, layer: Layer) -> Verdict:
        if layer.in_channels % self.of:
            return Verdict.no(f"{layer.in_channels} in-channels{' a group' if layer.groups > 1 else ''} are not a multiple of {self.of}")
        return Verdict.yes()
