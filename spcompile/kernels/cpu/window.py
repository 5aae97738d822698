"""One channel, a few taps: depthwise convolution, max and average pooling over the same flattened positions as the sparse product.

    y[c, p] = epilogue( reduce_t value[c, t] * x[c * x_row_stride + taps[t] + p], c, p )      (pooling has no values)

The taps are constants of the code, so no offset is loaded.
"""

import math
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass

from spcompile.kernels.cpu.offset_spmm import BYTES
from spcompile.kernels.cpu.reach import LINE
from spcompile.kernels.expression import ACCUMULATOR, Expression, evaluate, operations
from spcompile.kernels.kernel import Kernel
from spcompile.kernels.operand import Operand, load_operands, operand_pointers
from spcompile.kernels.work import Stream, Work

REDUCTIONS = ("dot", "add", "max")
HELD_TAPS = 16  # weights that stay in registers beside x and the sums


@dataclass(frozen=True)
class Window(Kernel):
    """Pointers: x, values [rows, taps] (dot only), y, then one per operand. `multiplier` neighbouring rows read one channel of x."""

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

    def __post_init__(self):
        assert self.reduction in REDUCTIONS and self.positions >= self.vectors * self.lanes, self

    @property
    def code(self) -> tuple:
        strides = (self.x_row_stride, self.y_row_stride, self.multiplier)
        return (self.reduction, self.rows, self.positions, self.taps, strides, self.vectors, self.lanes, self.epilogue, self.operands)

    @property
    def title(self) -> str:
        return f"f32_window_{self.reduction}{len(self.taps)}_{self.vectors}x{self.lanes}_c{self.rows}_p{self.positions}"

    def work(self) -> Work:
        tile = self.vectors * self.lanes
        tiles = -(-self.positions // tile)
        cells = self.rows * tiles * self.vectors
        dot = self.reduction == "dot"
        tensors = sum(1 for operand in self.operands if operand.position_stride)
        plane = self.rows * self.positions * BYTES
        reads = Counter(tap + register * self.lanes for tap in self.taps for register in range(self.vectors))  # registers share what taps reach again
        return Work(
            lanes=self.lanes,
            fma=cells * len(self.taps) if dot else 0,
            arithmetic=cells * (operations(self.epilogue) + (0 if dot else len(self.taps))),
            loads=self.rows * tiles * len(reads) + cells * tensors,
            broadcasts=self._values(cells) if dot else 0,
            stores=cells,
            scalar=self.rows * tiles * 4,
            used_once=self.rows * tiles * sum(1 for uses in reads.values() if uses == 1),
            crossing=self.rows * tiles * self._crossing(reads),
            streams=(Stream(plane, plane / self.multiplier), Stream(plane, plane, cold=True), Stream(plane * tensors, plane)),
            units=self.rows,
            macs=self.rows * self.positions * len(self.taps) if dot else 0,
        )

    def _values(self, cells: int) -> int:
        """Loads of weights: once a row where registers hold all of them, else for every use; LLVM puts aside those that do not fit."""
        return len(self.taps) * (self.rows if len(self.taps) <= HELD_TAPS else cells)

    def _crossing(self, reads: Collection[int]) -> float:
        """How many of one tile's loads straddle two cache lines, of the tiles on average; rows begin where lines do."""
        starts = range(0, LINE, math.gcd(self.vectors * self.lanes, LINE))
        return sum((start + read) % LINE + self.lanes > LINE for start in starts for read in reads) / len(starts)

    def emit(self, threads: int):
        return _emit(self, threads)


def _emit(k: Window, threads: int):
    from tvm.tirx.script.builder import ir as T

    from spcompile.kernels.script import kernel_function, outer_loop

    tile = k.vectors * k.lanes
    combine = {"add": lambda a, b: a + b, "max": T.max}

    def body(x, y, value=None, **operands):
        def reduced(c, at):
            loaded = [x[T.truncdiv(c, k.multiplier) * k.x_row_stride + tap + at] for tap in k.taps]
            if k.reduction == "dot":
                total = loaded[0] * value[c * len(k.taps)]
                for t in range(1, len(k.taps)):
                    total = total + loaded[t] * value[c * len(k.taps) + t]
                return total
            total = loaded[0]
            for term in loaded[1:]:
                total = combine[k.reduction](total, term)
            return total

        with outer_loop(k.rows, threads) as c, T.serial(0, -(-k.positions // tile)) as t:
            position = T.min(t * tile, k.positions - tile)
            for v in range(k.vectors):
                with T.vectorized(0, k.lanes) as i:
                    p = position + v * k.lanes + i
                    result = evaluate(k.epilogue, [reduced(c, p), *load_operands(operands.values(), k.operands, c, p)])
                    T.buffer_store(y, result, [c * k.y_row_stride + p])

    values = {"value": "float32"} if k.reduction == "dot" else {}
    return kernel_function(k.name, {"x": "float32"} | values | {"y": "float32"} | operand_pointers(k.operands), body)
