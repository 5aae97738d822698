"""Neighbouring rows keep the same columns."""

from dataclasses import dataclass

from spcompile.ir.layer import Layer
from spcompile.patterns.base import Pattern
from spcompile.verdict import Verdict


@dataclass(frozen=True)
class Block(Pattern):
    """Blocks of `block_rows` x 1 weights: one input value, loaded once, serves `block_rows` outputs."""

    block_rows: int = 4

    def __post_init__(self):
        assert self.block_rows > 1, self.block_rows

    @property
    def notation(self) -> str:
        return f"block{self.block_rows}x1"

    def unit(self, shape: tuple[int, int]) -> tuple[int, int]:
        return self.block_rows, 1

    def holds(self, layer: Layer) -> Verdict:
        rows = layer.rows // layer.groups
        if rows % self.block_rows:
            return Verdict.no(f"{rows} rows{' a group' if layer.groups > 1 else ''} are not a multiple of {self.block_rows}")
        if layer.rows * layer.columns == self.block_rows:
            return Verdict.no(f"the layer is a single block of {self.block_rows}x1")
        return Verdict.yes()
