"""Rectangles of weights that live or die together: what tensor cores can skip whole."""

from dataclasses import dataclass

from spcompile.ir.layer import Layer
from spcompile.patterns.base import Pattern
from spcompile.verdict import Verdict


@dataclass(frozen=True)
class Tile(Pattern):
    """Blocks of rows x neighbouring in-channels of one tap (Gray, Radford and Kingma 2017, "GPU kernels for block-sparse weights")."""

    rows: int
    columns: int

    def __post_init__(self):
        assert self.rows > 1 and self.columns > 1, self

    @property
    def notation(self) -> str:
        return f"block{self.rows}x{self.columns}"

    @property
    def block_rows(self) -> int:
        return self.rows

    def unit(self, shape: tuple[int, int]) -> tuple[int, int]:
        return self.rows, self.columns

    def holds(self, layer: Layer) -> Verdict:
        rows, channels = layer.rows // layer.groups, layer.in_channels
        each = " a group" if layer.groups > 1 else ""
        if rows % self.rows:
            return Verdict.no(f"{rows} rows{each} are not a multiple of {self.rows}")
        if channels % self.columns:
            return Verdict.no(f"{channels} in-channels{each} are not a multiple of {self.columns}")
        if layer.rows * layer.columns == self.rows * self.columns:
            return Verdict.no(f"the layer is a single block of {self.rows}x{self.columns}")
        return Verdict.yes()
