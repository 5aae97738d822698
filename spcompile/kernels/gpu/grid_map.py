"""Elementwise arithmetic over strided views, an element a thread; neighbouring threads write neighbouring elements."""

import math
from dataclasses import dataclass

from spcompile.kernels.axes import offset
from spcompile.kernels.cpu.elementwise import Elementwise
from spcompile.kernels.expression import evaluate, operations
from spcompile.kernels.gpu.kernel import GpuKernel, device_function
from spcompile.kernels.gpu.work import ELEMENT, Sweep

THREADS = 256
BYTES = {"float32": 4, "int32": 4, "int64": 8}


@dataclass(frozen=True)
class GridMap(GpuKernel):
    """Pointers: y, then one per input. `loop` is what a CPU would do, with the inputs' dtypes; the arithmetic is in fp32."""

    loop: Elementwise
    y_dtype: str

    threads = THREADS

    @property
    def code(self) -> tuple:
        return (self.loop.code, self.y_dtype)

    @property
    def title(self) -> str:
        return f"gpu_map_{self.loop.expression[0]}_{'x'.join(map(str, self.loop.shape)) or '1'}"

    @property
    def grid(self) -> tuple[int]:
        return (-(-math.prod(self.loop.shape) // THREADS),)

    def work(self) -> Sweep:
        cells = math.prod(self.loop.shape)
        read = [
            BYTES.get(dtype, ELEMENT) * math.prod(n for n, s in zip(self.loop.shape, strides, strict=True) if s)
            for dtype, strides in zip(self.loop.x_dtypes, self.loop.x_strides, strict=True)
        ]
        return Sweep(sum(read) + cells * BYTES.get(self.y_dtype, ELEMENT), cells * operations(self.loop.expression))

    def emit(self, threads: int):
        from tvm.tirx.script.builder import ir as T

        loop, cells = self.loop, math.prod(self.loop.shape)

        def body(blocks, thread, y, **inputs):
            cell = blocks[0] * THREADS + thread
            at = indices(cell, loop.shape)
            with T.If(cell < cells), T.Then():
                loaded = [T.cast(x[offset(at, strides)], "float32") for x, strides in zip(inputs.values(), loop.x_strides, strict=True)]
                T.buffer_store(y, T.cast(evaluate(loop.expression, loaded), self.y_dtype), [offset(at, loop.y_strides)])

        pointers = {f"x{index}": dtype for index, dtype in enumerate(loop.x_dtypes)}
        return device_function(self, {"y": self.y_dtype} | pointers, body)


def indices(number, extents: tuple[int, ...]) -> list:
    """A running number -> one index an axis, the last one fastest."""
    found = []
    for extent in reversed(extents):
        found.append(number % extent)
        number = number // extent
    return found[::-1]
