"""What the offset lists of a product reach of x: the shape behind flat offsets, for counting memory traffic."""

import math
from dataclasses import dataclass

BYTES = 4  # of an fp32
LINE = 16  # fp32 in a cache line
WAY = 1024  # fp32 in a way of L1, 64 lines on x86: addresses so far apart share a set


@dataclass(frozen=True)
class Reach:
    """What of x a tile of positions reads: `planes` images of a group, `plane_elements` apart; of each, `rows` x `columns` taps at a row pitch."""

    planes: int
    plane_elements: int
    rows: int
    columns: int
    pitch: int

    @property
    def aligned(self) -> bool:
        """Do vectors of positions begin where cache lines do? Only without taps to the side."""
        return self.rows == self.columns == 1 and self.plane_elements % LINE == 0

    def run(self, tile: int) -> int:
        """Elements of one plane that a tile reads, in whole cache lines, since rows begin anywhere."""
        if self.aligned:
            return tile
        row = tile + self.columns - 1 + LINE - 1
        return min(self.rows * row, row + (self.rows - 1) * self.pitch)

    def held(self, run: int) -> int:
        """Elements of L1 that so many of one plane take up: planes a large power of two apart put their lines into a part of the sets only."""
        return max(run, math.gcd(self.plane_elements, WAY))

    def crowded(self, tile: int) -> float:
        """How many times its bytes a tile takes of L1."""
        return self.held(self.run(tile)) / self.run(tile)

    def touched(self, entries: float) -> float:
        """Expected planes among the entries of one list."""
        taps = self.rows * self.columns
        return self.planes * (1.0 - max(0.0, 1.0 - entries / (self.planes * taps)) ** taps)
