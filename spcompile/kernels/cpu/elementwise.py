"""Elementwise arithmetic over strided views: activations, sums, copies between layouts, transposes, slices.

    y[i...] = expression(x0[i...], x1[i...], ...)

A stride of 0 broadcasts. Axes are sorted and merged by `Elementwise.over` so that equal loops are equal kernels.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from spcompile.kernels.cpu.reach import BYTES, LINE
from spcompile.kernels.expression import Expression, evaluate, operations
from spcompile.kernels.kernel import Kernel
from spcompile.kernels.work import Stream, Work

WIDEST_STRIDE = 4  # from which LLVM still makes vectors, by loads of whole registers and shuffles


@dataclass(frozen=True)
class Elementwise(Kernel):
    """Pointers: y, then one per input, each at its first element. Strides in elements, outermost axis first, the last one innermost."""

    shape: tuple[int, ...]
    y_strides: tuple[int, ...]
    x_strides: tuple[tuple[int, ...], ...]
    expression: Expression
    lanes: int  # of the target
    x_dtypes: tuple[str, ...]

    @classmethod
    def over(cls, shape, y_strides, x_strides: Sequence[Sequence[int]], expression, lanes, x_dtypes=None) -> "Elementwise":
        """Sort axes by the output's stride, merge those that run on, drop those of extent 1."""
        axes = sorted(
            (axis for axis in zip(shape, y_strides, *x_strides, strict=True) if axis[0] != 1),
            key=lambda axis: (axis[1], axis[2:]),
            reverse=True,
        )
        merged: list[tuple] = []
        for axis in axes:
            extent = axis[0]
            if merged and all(outer == inner * extent for outer, inner in zip(merged[-1][1:], axis[1:], strict=True)):
                merged[-1] = (merged[-1][0] * extent, *axis[1:])
            else:
                merged.append(axis)
        columns = list(zip(*merged, strict=True)) or [()] * (2 + len(x_strides))
        return cls(columns[0], columns[1], tuple(columns[2:]), expression, lanes, tuple(x_dtypes or ("float32",) * len(x_strides)))

    @property
    def code(self) -> tuple:
        return (self.shape, self.y_strides, self.x_strides, self.expression, self.lanes, self.x_dtypes)

    @property
    def title(self) -> str:
        return f"f32_elementwise_{self.expression[0]}_{'x'.join(map(str, self.shape)) or '1'}"

    @property
    def register_lanes(self) -> int:
        """Lanes that the innermost axis can fill; 1 where an operand is neither contiguous nor repeated."""
        strides = [self.y_strides[-1:], *(s[-1:] for s in self.x_strides)]
        if not self.shape or self.y_strides[-1] != 1 or any(s[0] not in (0, 1) for s in strides) or set(self.x_dtypes) - {"float32"}:
            return 1
        lanes = self.lanes
        while lanes > self.shape[-1]:
            lanes //= 2
        return lanes

    @property
    def _registers(self) -> tuple[int, int, int]:
        """(lanes, registers of y a row, registers of x that one of y is picked from, all inputs together), as emitted: LLVM makes vectors of small
        strides, too, the rest of a row in halves, quarters and so on."""
        extent = self.shape[-1] if self.shape else 1
        if self.register_lanes > 1:
            return self.register_lanes, self._pieces, len(self.x_strides)
        strides = [s[-1] for s in self.x_strides] if self.shape else []
        if not self.shape or self.y_strides[-1] != 1 or max(strides, default=0) > WIDEST_STRIDE or set(self.x_dtypes) - {"float32"}:
            return 1, extent, len(self.x_strides)
        return self.lanes, extent // self.lanes + (extent % self.lanes).bit_count(), sum(max(1, stride) for stride in strides)

    @property
    def _pieces(self) -> int:
        """Of the innermost axis, as the code walks over it."""
        return -(-self.shape[-1] // self.register_lanes) if self.shape else 1

    def work(self) -> Work:
        """Loops of constant length: branch predictors learn them."""
        lanes, pieces, loads = self._registers
        cells = math.prod(self.shape[:-1]) * pieces
        bytes_out = math.prod(self.shape) * BYTES
        distinct = (math.prod(n for n, s in zip(self.shape, strides, strict=True) if s) for strides in self.x_strides)
        skipped = [min(s[-1], LINE) if self.shape and s[-1] > 1 else 1 for s in self.x_strides]  # whole lines are read
        return Work(
            lanes=lanes,
            arithmetic=cells * (operations(self.expression) + loads - len(self.x_strides)),
            loads=cells * loads,
            stores=cells,
            scalar=cells * 2,
            streams=(
                *(Stream(bytes_out * every, elements * BYTES * every) for elements, every in zip(distinct, skipped, strict=True)),
                Stream(bytes_out, bytes_out, cold=True),
            ),
            units=self._pieces if len(self.shape) < 2 else self.shape[0],
        )

    def emit(self, threads: int):
        from tvm import tirx
        from tvm.tirx.script.builder import ir as T

        from spcompile.kernels.script import kernel_function, nest, outer_loop

        lanes = self.register_lanes
        extent = self.shape[-1] if self.shape else 1
        parts = min(threads, self._pieces) if len(self.shape) == 1 else 1  # a single axis is split itself; neighbours may write the same numbers twice
        each = -(-self._pieces // parts)

        def body(y, **inputs):
            def cell(indices):
                loaded = []
                for buffer, strides, dtype in zip(inputs.values(), self.x_strides, self.x_dtypes, strict=True):
                    value = buffer[sum(i * s for i, s in zip(indices, strides, strict=True))]
                    loaded.append(value if dtype == "float32" else tirx.Cast("float32", value))
                T.buffer_store(y, evaluate(self.expression, loaded), [sum(i * s for i, s in zip(indices, self.y_strides, strict=True))])

            with nest(self.shape[:-1], threads) as outer, outer_loop(parts, threads) as part, T.serial(0, each) as step:
                piece = part * each + step
                if lanes == 1:
                    cell([*outer, T.min(piece, extent - 1) if parts > 1 else piece] if self.shape else [])
                else:
                    with T.vectorized(0, lanes) as i:
                        cell([*outer, T.min(piece * lanes, extent - lanes) + i])

        pointers = {f"x{index}": dtype for index, dtype in enumerate(self.x_dtypes)}
        return kernel_function(self.name, {"y": "float32"} | pointers, body)
