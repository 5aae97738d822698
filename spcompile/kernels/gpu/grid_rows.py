"""Reductions over some axes of a strided view, and what is made of them: means, maxima, softmax, layer normalisation in one launch.

    s0 = reduce_r e0(x[r]), s1 = reduce_r e1(x[r], s0), ...        y = finish(s0, ...) or y[r] = finish(x[r], s0, ..., operands[r])

A warp takes a row and shuffles its sums; where the rows' neighbours lie next to each other in memory, a thread takes a row.
"""

import math
from dataclasses import dataclass

from spcompile.kernels.axes import offset
from spcompile.kernels.expression import START, Expression, evaluate, operations
from spcompile.kernels.gpu.grid_map import BYTES, indices
from spcompile.kernels.gpu.kernel import WARP, GpuKernel, device_function
from spcompile.kernels.gpu.work import ELEMENT, Sweep

THREADS = 128


@dataclass(frozen=True)
class GridRows(GpuKernel):
    """Pointers: x, y, operands (fp32, contiguous over a row).

    outer: (extent, x stride, y stride) of the axes that stay; inner: the same of those that are reduced, outermost first. statistics: (reduction,
    expression of x and the statistics before it). spread: y has all of x's elements, else one number a row.
    """

    outer: tuple[tuple[int, int, int], ...]
    inner: tuple[tuple[int, int, int], ...]
    statistics: tuple[tuple[str, Expression], ...]
    finish: Expression
    spread: bool
    operands: int
    x_dtype: str
    y_dtype: str

    threads = THREADS

    @property
    def rows(self) -> int:
        return math.prod(axis[0] for axis in self.outer)

    @property
    def length(self) -> int:
        return math.prod(axis[0] for axis in self.inner)

    @property
    def lanes(self) -> int:
        """Threads that share a row."""
        neighbours = self.outer and min(self.outer, key=lambda axis: axis[1])[1] == 1 and self.outer[-1][1] == 1
        return 1 if neighbours and self.rows >= WARP else WARP

    @property
    def code(self) -> tuple:
        return (self.outer, self.inner, self.statistics, self.finish, self.spread, self.operands, self.x_dtype, self.y_dtype)

    @property
    def title(self) -> str:
        return f"gpu_rows_{'_'.join(reduction for reduction, _ in self.statistics)}_{self.rows}_of_{self.length}"

    @property
    def grid(self) -> tuple[int]:
        return (-(-self.rows // (THREADS // self.lanes)),)

    def work(self) -> Sweep:
        cells = self.rows * self.length
        flop = sum(1 + operations(expression) for _, expression in self.statistics) + (operations(self.finish) if self.spread else 0)
        written = cells if self.spread else self.rows
        return Sweep(cells * BYTES.get(self.x_dtype, ELEMENT) + written * BYTES.get(self.y_dtype, ELEMENT), cells * flop)

    def emit(self, threads: int):
        pointers = {"x": self.x_dtype, "y": self.y_dtype} | {f"operand_{index}": "float32" for index in range(self.operands)}
        return device_function(self, pointers, lambda *place, **buffers: _write(self, *place, **buffers))


def _write(k: GridRows, blocks, thread, x, y, **operands) -> None:
    from tvm.tirx.script.builder import ir as T

    row, lane = blocks[0] * (THREADS // k.lanes) + thread // k.lanes, thread % k.lanes
    held = T.min(row, k.rows - 1)  # threads beyond the last row work on it too, so that warps stay whole, and write nothing
    outer = indices(held, tuple(axis[0] for axis in k.outer))
    x_row, y_row = (offset(outer, tuple(axis[side] for axis in k.outer)) for side in (1, 2))
    found = T.alloc_buffer((len(k.statistics) + 1,), "float32", scope="local")

    def element(place, side: int):
        return offset(indices(place, tuple(axis[0] for axis in k.inner)), tuple(axis[side] for axis in k.inner))

    def known(place, count: int) -> list:
        return [T.cast(x[x_row + element(place, 1)], "float32"), *(found[index] for index in range(count))]

    for index, (reduction, expression) in enumerate(k.statistics):
        T.buffer_store(found, T.float32(START[reduction]), [index])
        with T.serial(0, -(-k.length // k.lanes)) as turn:
            place = turn * k.lanes + lane
            with T.If(place < k.length), T.Then():
                T.buffer_store(found, _reduced(reduction, found[index], evaluate(expression, known(place, index))), [index])
        distance = k.lanes // 2
        while distance:
            other = getattr(T.cuda, "__shfl_xor_sync")(T.uint32(0xFFFFFFFF), found[index], distance, WARP)
            T.buffer_store(found, other, [len(k.statistics)])
            T.buffer_store(found, _reduced(reduction, found[index], found[len(k.statistics)]), [index])
            distance //= 2
    with T.If(row < k.rows), T.Then():
        if k.spread:
            with T.serial(0, -(-k.length // k.lanes)) as turn:
                place = turn * k.lanes + lane
                with T.If(place < k.length), T.Then():
                    result = evaluate(k.finish, [*known(place, len(k.statistics)), *(buffer[place] for buffer in operands.values())])
                    T.buffer_store(y, T.cast(result, k.y_dtype), [y_row + element(place, 2)])
        else:
            with T.If(lane == 0), T.Then():
                result = evaluate(k.finish, [found[index] for index in range(len(k.statistics))])
                T.buffer_store(y, T.cast(result, k.y_dtype), [y_row])


def _reduced(reduction: str, a, b):
    from tvm import tirx

    return {"add": lambda: a + b, "max": lambda: tirx.max(a, b), "min": lambda: tirx.min(a, b)}[reduction]()
