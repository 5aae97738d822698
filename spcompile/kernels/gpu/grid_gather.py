"""Rows of a constant table by computed indices: embeddings. A thread copies one number."""

import math
from dataclasses import dataclass

from spcompile.kernels.axes import offset
from spcompile.kernels.gpu.grid_map import indices
from spcompile.kernels.gpu.kernel import GpuKernel, device_function
from spcompile.kernels.gpu.work import ELEMENT, Sweep

THREADS = 256


@dataclass(frozen=True)
class GridGather(GpuKernel):
    """Pointers: table [entries, width], indices, y [all indices, width]. axes: (extent, stride) of the indices.

    Negative indices count from the end; those outside read the nearest entry.
    """

    axes: tuple[tuple[int, int], ...]
    width: int
    entries: int
    dtype: str
    index_dtype: str

    threads = THREADS

    @property
    def code(self) -> tuple:
        return (self.axes, self.width, self.entries, self.dtype, self.index_dtype)

    @property
    def title(self) -> str:
        return f"gpu_gather_{math.prod(axis[0] for axis in self.axes)}_of_{self.entries}x{self.width}"

    @property
    def cells(self) -> int:
        return self.width * math.prod(axis[0] for axis in self.axes)

    @property
    def grid(self) -> tuple[int]:
        return (-(-self.cells // THREADS),)

    def work(self) -> Sweep:
        return Sweep(2 * self.cells * ELEMENT)

    def emit(self, threads: int):
        from tvm.tirx.script.builder import ir as T

        def body(blocks, thread, table, index, y):
            cell = blocks[0] * THREADS + thread
            with T.If(cell < self.cells), T.Then():
                at = indices(cell // self.width, tuple(axis[0] for axis in self.axes))
                entry = T.cast(index[offset(at, tuple(axis[1] for axis in self.axes))], "int32")
                entry = T.max(T.min(T.if_then_else(entry < 0, entry + self.entries, entry), self.entries - 1), 0)
                T.buffer_store(y, table[entry * self.width + cell % self.width], [cell])

        pointers = {"table": self.dtype, "index": self.index_dtype, "y": self.dtype}
        return device_function(self, pointers, body)
