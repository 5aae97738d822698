"""Matrices with their axes exchanged: read and written by neighbouring threads side by side, turned in shared memory between."""

from dataclasses import dataclass

from spcompile.kernels.gpu.kernel import GpuKernel, device_function
from spcompile.kernels.gpu.work import ELEMENT, Sweep

SIDE = 64  # of a thread block's tile
THREADS = 256
PITCH = SIDE + 2  # 33 words of two numbers: a column of the tile meets all banks


@dataclass(frozen=True)
class GridTranspose(GpuKernel):
    """Pointers: y, x. y[column, row] = x[row, column], 16-bit numbers; the strides are those of the first axis of each.

    batch: matrices of one launch, y's one after another; `inner` of x's follow one another at x_batch_strides[1], then comes the next x_batch_strides[0].
    """

    rows: int
    columns: int
    x_stride: int
    y_stride: int
    dtype: str
    batch: int = 1
    inner: int = 1
    x_batch_strides: tuple[int, int] = (0, 0)

    threads = THREADS

    @property
    def code(self) -> tuple:
        return (self.rows, self.columns, self.x_stride, self.y_stride, self.dtype, self.batch, self.inner, self.x_batch_strides)

    @property
    def title(self) -> str:
        return f"gpu_transpose_{self.batch}x{self.rows}x{self.columns}"

    @property
    def grid(self) -> tuple[int, int, int]:
        return -(-self.rows // SIDE), -(-self.columns // SIDE), self.batch

    def work(self) -> Sweep:
        return Sweep(2.0 * self.batch * self.rows * self.columns * ELEMENT)

    def emit(self, threads: int):
        from tvm.tirx.script.builder import ir as T

        def body(blocks, thread, y, x):
            tile = T.alloc_buffer((SIDE * PITCH,), self.dtype, scope="shared")
            first_row, first_column = blocks[0] * SIDE, blocks[1] * SIDE
            x_first = blocks[2] // self.inner * self.x_batch_strides[0] + blocks[2] % self.inner * self.x_batch_strides[1]
            y_first = blocks[2] * (self.columns * self.y_stride)
            along, across = thread % SIDE, thread // SIDE
            for turn in range(0, SIDE, THREADS // SIDE):
                row, column = first_row + across + turn, first_column + along
                with T.If(T.And(row < self.rows, column < self.columns)), T.Then():
                    T.buffer_store(tile, x[x_first + row * self.x_stride + column], [along * PITCH + across + turn])
            T.evaluate(T.cuda.cta_sync())
            for turn in range(0, SIDE, THREADS // SIDE):
                row, column = first_row + along, first_column + across + turn
                with T.If(T.And(row < self.rows, column < self.columns)), T.Then():
                    T.buffer_store(y, tile[(across + turn) * PITCH + along], [y_first + column * self.y_stride + row])

        return device_function(self, {"y": self.dtype, "x": self.dtype}, body)
