"""Rows of a table by index, as in an embedding:  y[i, c] = table[index[i], c]."""

from dataclasses import dataclass

from spcompile.kernels.cpu.offset_spmm import BYTES
from spcompile.kernels.kernel import Kernel
from spcompile.kernels.work import Stream, Work


@dataclass(frozen=True)
class Gather(Kernel):
    """Pointers: table [entries, width], index [count] (int64), y. A negative index counts from the end, as ONNX defines."""

    count: int
    width: int
    entries: int
    y_strides: tuple[int, int]

    @property
    def code(self) -> tuple:
        return (self.count, self.width, self.entries, self.y_strides)

    @property
    def title(self) -> str:
        return f"f32_gather_{self.count}x{self.width}_of_{self.entries}"

    def work(self) -> Work:
        cells = self.count * self.width
        footprint = self.entries * self.width * BYTES
        return Work(loads=cells, stores=cells, scalar=cells, loops=self.count, streams=(Stream(cells * BYTES, footprint),), units=self.count)

    def emit(self, threads: int):
        from tvm.tirx.script.builder import ir as T

        from spcompile.kernels.script import kernel_function, nest

        def body(table, index, y):
            with nest((self.count, self.width), threads) as (i, c):
                entry = T.Select(index[i] < T.int64(0), index[i] + T.int64(self.entries), index[i])
                T.buffer_store(y, table[T.cast(entry, "int32") * self.width + c], [i * self.y_strides[0] + c * self.y_strides[1]])

        return kernel_function(self.name, {"table": "float32", "index": "int64", "y": "float32"}, body)
