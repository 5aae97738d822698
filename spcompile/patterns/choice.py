"""A pattern at a level: what a layer is given."""

from dataclasses import dataclass

from spcompile.patterns.base import Pattern


@dataclass(frozen=True)
class Choice:
    """`sparsity` is the share of zeros in the layer's matrix. Written "block4x1@0.8", "2:4", "dense"."""

    pattern: Pattern
    sparsity: float

    def __post_init__(self):
        assert 0 <= self.sparsity < 1, self.sparsity

    @property
    def density(self) -> float:
        return 1 - self.sparsity

    @property
    def notation(self) -> str:
        """Patterns with one level only (dense, N:M) are spelled without it."""
        return self.pattern.notation if self.pattern.fixed_sparsity is not None else f"{self.pattern.notation}@{self.sparsity:g}"
