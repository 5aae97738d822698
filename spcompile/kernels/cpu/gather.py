"""Rows of a table by index, as in an embedding:  y[i, c] = table[index[i], c]."""

import math
from dataclasses import dataclass

from spcompile.kernels.cpu.reach import BYTES
from spcompile.kernels.kernel import Kernel
from spcompile.kernels.work import Stream, Work

STRIP = 64  # columns: where rows of the result are no rows of memory, so many of its lines stay in L1 from one index to the next


@dataclass(frozen=True)
class Gather(Kernel):
    """Pointers: table [entries, width], index, y. i runs row by row over the axes of index, (extent, stride) each, outermost first.

    A negative index counts from the end, as ONNX defines; one beyond either end reads the row at that end, never foreign memory.
    """

    index: tuple[tuple[int, int], ...]
    width: int
    entries: int
    y_strides: tuple[int, int]
    index_dtype: str = "int64"

    @property
    def code(self) -> tuple:
        return (self.index, self.width, self.entries, self.y_strides, self.index_dtype)

    @property
    def strip(self) -> int:
        """Columns that are copied for all indices before the next ones."""
        return self.width if self.y_strides[1] == 1 else min(STRIP, self.width)

    @property
    def strips(self) -> int:
        """The last one is moved back so that it ends with the last column."""
        return -(-self.width // self.strip)

    @property
    def count(self) -> int:
        return math.prod(extent for extent, _ in self.index)

    @property
    def title(self) -> str:
        return f"f32_gather_{self.count}x{self.width}_of_{self.entries}"

    def work(self) -> Work:
        cells = self.count * self.width
        footprint = self.entries * self.width * BYTES
        return Work(loads=cells, stores=cells, scalar=cells, loops=self.count, streams=(Stream(cells * BYTES, footprint),), units=self.strips)

    def emit(self, threads: int):
        from tvm import tirx
        from tvm.tirx.script.builder import ir as T

        from spcompile.kernels.script import kernel_function, nest

        zero, entries = (tirx.const(number, self.index_dtype) for number in (0, self.entries))

        def body(table, index, y):
            with nest((self.strips, *(extent for extent, _ in self.index), self.strip), threads) as (part, *at, within):
                c = T.min(part * self.strip, self.width - self.strip) + within
                read = index[sum(i * stride for i, (_, stride) in zip(at, self.index, strict=True))]
                entry = T.max(zero, T.min(T.Select(read < zero, read + entries, read), entries - 1))
                row = 0
                for i, (extent, _) in zip(at, self.index, strict=True):
                    row = row * extent + i
                T.buffer_store(y, table[T.cast(entry, "int32") * self.width + c], [row * self.y_strides[0] + c * self.y_strides[1]])

        return kernel_function(self.name, {"table": "float32", "index": self.index_dtype, "y": "float32"}, body)
