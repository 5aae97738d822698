"""Windows outside the tensor cores: pools, depthwise convolutions, groups of few channels. A thread makes one output; neighbours are channels."""

from dataclasses import dataclass

from spcompile.kernels.expression import ACCUMULATOR, LOWEST, Expression, evaluate, operations
from spcompile.kernels.gpu.kernel import GpuKernel, device_function
from spcompile.kernels.gpu.window import Window
from spcompile.kernels.gpu.work import ELEMENT, Sweep
from spcompile.kernels.operand import Operand

THREADS = 128
COUNTS = ("one", "inside", "padded")  # what an average divides by: pixels inside the image, or inside its padding too


@dataclass(frozen=True)
class GridWindow(GpuKernel):
    """Pointers: weights ("dot" only; [rows, taps, channels of a group]), x, y, one per operand. y: element (p, m) at p * y_stride + m.

    reduction: "dot", "max" or "add". Row m reads the channels of group m / rows_per_group: that many of `window.channels`.
    """

    reduction: str
    rows: int
    rows_per_group: int
    positions: int
    window: Window
    y_stride: int
    dtype: str
    divide: str = "one"
    ends: tuple[int, int] = (0, 0)  # of the padding, bottom and right, for "padded"
    epilogue: Expression = ACCUMULATOR
    operands: tuple[Operand, ...] = ()
    operand_dtypes: tuple[str, ...] = ()

    threads = THREADS

    def __post_init__(self):
        assert self.divide in COUNTS and self.rows % self.rows_per_group == 0, self

    @property
    def code(self) -> tuple:
        shape = (self.reduction, self.rows, self.rows_per_group, self.positions, self.window, self.y_stride, self.dtype)
        return (*shape, self.divide, self.ends, self.epilogue, self.operands, self.operand_dtypes)

    @property
    def title(self) -> str:
        return f"gpu_window_{self.reduction}_{'x'.join(map(str, self.window.kernel))}_m{self.rows}_p{self.positions}"

    @property
    def grid(self) -> tuple[int]:
        return (-(-self.rows * self.positions // THREADS),)

    def work(self) -> Sweep:
        """Inputs once: neighbouring threads find the rest in caches."""
        cells, taps = self.rows * self.positions, self.window.taps * self.window.channels
        area = self.window.strides[0] * self.window.strides[1]
        groups = self.rows // self.rows_per_group
        read = self.positions * area * groups * self.window.channels
        weights = self.rows * taps if self.reduction == "dot" else 0
        return Sweep((read + cells * (1 + len(self.operands)) + weights) * ELEMENT, cells * (2 * taps + operations(self.epilogue)))

    def emit(self, threads: int):
        weights = {"weights": self.dtype} if self.reduction == "dot" else {}
        operands = {f"operand_{index}": dtype for index, dtype in enumerate(self.operand_dtypes)}
        pointers = {**weights, "x": self.dtype, "y": self.dtype, **operands}
        return device_function(self, pointers, lambda *place, **buffers: _write(self, *place, **buffers))


def _write(k: GridWindow, blocks, thread, x, y, weights=None, **operands) -> None:
    from tvm.tirx.script.builder import ir as T

    cell, w = blocks[0] * THREADS + thread, k.window
    row, position = cell % k.rows, cell // k.rows
    sums = T.alloc_buffer((2,), "float32", scope="local")
    T.buffer_store(sums, T.float32(LOWEST if k.reduction == "max" else 0), [0])
    T.buffer_store(sums, T.float32(0), [1])
    with T.If(cell < k.rows * k.positions), T.Then():
        with T.serial(0, w.taps) as tap:
            image, iy, ix, _ = w.locate(position, tap * w.padded_channels)
            inside = T.And(T.And(iy >= 0, iy < w.in_size[0]), T.And(ix >= 0, ix < w.in_size[1]))
            if k.divide != "one":
                bottom, right = k.ends if k.divide == "padded" else (0, 0)
                top, left = w.pads if k.divide == "padded" else (0, 0)
                counted = T.And(T.And(iy >= -top, iy < w.in_size[0] + bottom), T.And(ix >= -left, ix < w.in_size[1] + right))
                T.buffer_store(sums, sums[1] + T.if_then_else(counted, T.float32(1), T.float32(0)), [1])
            with T.If(inside), T.Then(), T.serial(0, w.channels) as channel:
                value = T.cast(x[w.element(image, iy, ix, row // k.rows_per_group * w.channels + channel)], "float32")
                if k.reduction == "max":
                    T.buffer_store(sums, T.max(sums[0], value), [0])
                else:
                    weight = T.cast(weights[(row * w.taps + tap) * w.channels + channel], "float32") if k.reduction == "dot" else T.float32(1)
                    T.buffer_store(sums, sums[0] + value * weight, [0])
        result = sums[0] if k.divide == "one" else sums[0] / sums[1]
        loaded = [
            T.cast(buffer[row * operand.row_stride + position * operand.position_stride], "float32")
            for buffer, operand in zip(operands.values(), k.operands, strict=True)
        ]
        T.buffer_store(y, T.cast(evaluate(k.epilogue, [result, *loaded]), k.dtype), [position * k.y_stride + row])
