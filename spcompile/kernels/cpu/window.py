"""One channel, a few taps: depthwise convolution, max and average pooling.

    y[c, p] = epilogue( reduce_t value[c, t] * x[c * x_row_stride + taps[t] + p], c, p )      (pooling has no values)

over the same flattened positions as the sparse product; at a stride over the lines of an image, one after the other:

    y[c, l * y_line + p] = epilogue( reduce_t value[c, t] * x[c * x_row_stride + taps[t] + l * x_line + p * step], c, l * y_line + p )

Registers are filled with neighbours in x, and every `step`-th lane is picked. Where a register is as long as a cache line, those that begin inside one
cost two loads each: `picked` ones come out of two that begin where lines do instead. The taps are constants of the code, so no offset is loaded.
"""

import math
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise, product

from spcompile.kernels.cpu.reach import BYTES, LINE
from spcompile.kernels.cpu.tiled import TiledPositions
from spcompile.kernels.expression import ACCUMULATOR, Expression, operations
from spcompile.kernels.kernel import Kernel
from spcompile.kernels.operand import Operand
from spcompile.kernels.work import Stream, Work

REDUCTIONS = ("dot", "add", "max")
HELD_TAPS = 16  # weights that stay in registers beside x and the sums


@dataclass(frozen=True)
class Window(TiledPositions, Kernel):
    """Pointers: x, values [rows, taps] (dot only), y, then one per operand. `multiplier` neighbouring rows read one channel of x.

    positions: of a line. Where they do not fill one tile, elements behind them are read and written.
    """

    reduction: str
    rows: int
    positions: int
    taps: tuple[int, ...]
    x_row_stride: int
    y_row_stride: int
    vectors: int
    lanes: int
    multiplier: int = 1
    epilogue: Expression = ACCUMULATOR
    operands: tuple[Operand, ...] = ()
    lines: int = 1
    x_line: int = 0
    y_line: int = 0
    step: int = 1
    together: int = 1  # lines summed up at once, which share what their taps reach
    picked: bool = False

    def __post_init__(self):
        assert self.reduction in REDUCTIONS and (self.positions >= self.tile or self.vectors == 1 < self.lines) and self.together <= self.lines, self
        assert not self.picked or self.can_pick, self

    @property
    def flat(self) -> bool:
        """Over flattened positions, not line by line."""
        return self.y_line == 0

    @property
    def can_pick(self) -> bool:
        """With registers as long as a cache line, and room for the weights beside those that are picked from."""
        return self.lanes == LINE and self.step == 1 < len(self.taps) <= HELD_TAPS

    @property
    def line_groups(self) -> int:
        return -(-self.lines // self.together)

    @property
    def code(self) -> tuple:
        strides = (self.x_row_stride, self.y_row_stride, self.multiplier, self.lines, self.x_line, self.y_line, self.step, self.together, self.picked)
        return (self.reduction, self.rows, self.positions, self.taps, strides, self.vectors, self.lanes, self.epilogue, self.operands)

    @property
    def title(self) -> str:
        tile, size = (f"{self.vectors}", f"{self.positions}") if self.flat else (f"{self.together}x{self.vectors}", f"{self.lines}x{self.positions}")
        return f"f32_window_{self.reduction}{len(self.taps)}_{tile}x{self.lanes}_c{self.rows}_p{size}{'_picked' if self.picked else ''}"

    def work(self) -> Work:
        tiles = self.rows * self.line_groups * self.tiles
        cells = tiles * self.together * self.vectors
        dot = self.reduction == "dot"
        tensors = sum(1 for operand in self.operands if operand.is_tensor)
        masks = sum(1 for operand in self.operands if operand.is_mask)
        plane = self.rows * self.lines * self.positions * BYTES
        seen = self.rows * self.lines * max(self.x_line, self.positions) * BYTES / self.multiplier
        reads = self._reads()
        return Work(
            lanes=self.lanes,
            fma=cells * len(self.taps) if dot else 0,
            arithmetic=cells * (operations(self.epilogue) + (0 if dot else len(self.taps))) + tiles * self._picks(),
            loads=tiles * len(reads) + cells * (tensors + masks),
            broadcasts=self._values(cells) if dot else 0,
            stores=cells,
            scalar=tiles * 4,
            used_once=tiles * sum(1 for reach in self._reaches() if self.place(reach)[0] == (reach,) and reads[reach] == 1),
            crossing=tiles * self._crossing(reads),
            streams=(Stream(seen * self.multiplier, seen), Stream(plane, plane, cold=True), Stream(plane * tensors, plane)),
            units=self.rows,
            macs=self.rows * self.lines * self.positions * len(self.taps) if dot else 0,
        )

    def place(self, reach: int) -> tuple[tuple[int, ...], int]:
        """What lies `reach` behind a tile's first element -> (where the registers that hold it begin, the first lane picked); one alone is all wanted."""
        if self.step > 1:
            phase = (reach - min(self.taps)) % self.step
            return tuple(reach - phase + part * self.lanes for part in range(self.step)), phase
        before = reach - reach % self.lanes
        picked = before != reach and {before, before + self.lanes} <= self._whole_lines
        return ((before, before + self.lanes), reach - before) if picked else ((reach,), 0)

    @cached_property
    def _whole_lines(self) -> frozenset[int]:
        """Where registers begin that are a cache line each and lie among what a tile reads anyway: nothing beyond is touched."""
        starts, found = sorted(set(self._reaches())), set()
        if not self.picked:
            return frozenset()
        edges = [at for at, (one, next_one) in enumerate(pairwise(starts), start=1) if next_one - one > self.lanes]
        for first, last in pairwise([0, *edges, len(starts)]):
            found.update(range(-(-starts[first] // LINE) * LINE, starts[last - 1] + 1, LINE))
        return frozenset(found)

    def _reaches(self) -> list[int]:
        """Of every tap for every register of a tile's sums."""
        sums = product(range(self.together), range(self.vectors))
        return [line * self.x_line + vector * self.lanes * self.step + tap for line, vector in sums for tap in self.taps]

    def _reads(self) -> Counter:
        """Registers loaded for a tile, by where they begin, and how many taps use each."""
        return Counter(begin for reach in self._reaches() for begin in self.place(reach)[0])

    def _picks(self) -> int:
        """Shuffles of a tile, each of two registers."""
        return sum(len(self.place(reach)[0]) - 1 for reach in set(self._reaches()))

    def _values(self, cells: int) -> int:
        """Loads of weights: once a row where registers hold all of them, else for every use; LLVM puts aside those that do not fit."""
        return len(self.taps) * (self.rows if len(self.taps) <= HELD_TAPS else cells)

    def _crossing(self, reads: Collection[int]) -> float:
        """How many of one tile's loads straddle two cache lines, of the tiles on average; rows begin where lines do."""
        starts = range(0, LINE, math.gcd(self.tile * self.step, self.x_line, LINE))
        return sum((start + read) % LINE + self.lanes > LINE for start in starts for read in reads) / len(starts)

    def emit(self, threads: int):
        from spcompile.kernels.cpu.window_code import emit

        return emit(self, threads)
