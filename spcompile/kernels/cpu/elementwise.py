"""Elementwise arithmetic over strided views: activations, sums, copies between layouts, transposes, slices.

    y[i...] = expression(x0[i...], x1[i...], ...)

A stride of 0 broadcasts. Axes are sorted and merged by `Elementwise.over` so that equal loops are equal kernels.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from spcompile.kernels.axes import merged, offset
from spcompile.kernels.cpu.reach import BYTES, LINE
from spcompile.kernels.expression import Expression, evaluate, operations
from spcompile.kernels.kernel import Kernel
from spcompile.kernels.work import Stream, Work

WIDEST_STRIDE = 4  # that is read by whole registers and picked from them
LEAST_OPERATIONS = 8  # on a number: with fewer, registers filled one number at a time gain nothing over one number at a time


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
        axes = sorted(zip(shape, y_strides, *x_strides, strict=True), key=lambda axis: (axis[1], axis[2:]), reverse=True)
        columns = list(zip(*merged(axes), strict=True)) or [()] * (2 + len(x_strides))
        return cls(columns[0], columns[1], tuple(columns[2:]), expression, lanes, tuple(x_dtypes or ("float32",) * len(x_strides)))

    @property
    def code(self) -> tuple:
        return (self.shape, self.y_strides, self.x_strides, self.expression, self.lanes, self.x_dtypes)

    @property
    def title(self) -> str:
        return f"f32_elementwise_{self.expression[0]}_{'x'.join(map(str, self.shape)) or '1'}"

    @property
    def register_lanes(self) -> int:
        """Lanes that the innermost axis can fill; 1 where results are not contiguous, or an operand's numbers lie too far apart."""
        widest = math.inf if operations(self.expression) >= LEAST_OPERATIONS else WIDEST_STRIDE
        if not self.shape or self.y_strides[-1] != 1 or any(not 0 <= s[-1] <= widest for s in self.x_strides) or set(self.x_dtypes) - {"float32"}:
            return 1
        lanes = self.lanes
        while lanes > self.shape[-1]:
            lanes //= 2
        return lanes

    @property
    def _pieces(self) -> int:
        """Of the innermost axis, as the code walks over it."""
        return -(-self.shape[-1] // self.register_lanes) if self.shape else 1

    def work(self) -> Work:
        """Loops of constant length: branch predictors learn them."""
        loads = sum(self._loads(strides[-1]) for strides in self.x_strides) if self.register_lanes > 1 else len(self.x_strides)
        cells = math.prod(self.shape[:-1]) * self._pieces
        bytes_out = math.prod(self.shape) * BYTES
        return Work(
            lanes=self.register_lanes,
            arithmetic=cells * (operations(self.expression) + loads - len(self.x_strides)),
            loads=cells * loads,
            stores=cells,
            scalar=cells * 2,
            streams=(
                *(self._read(strides, bytes_out) for strides in self.x_strides),
                Stream(bytes_out, bytes_out, cold=True),
            ),
            units=self._pieces if len(self.shape) < 2 else self.shape[0],
        )

    def _loads(self, stride: int) -> int:
        """Of a register's numbers, each of which but one load's is moved to its place."""
        return max(1, stride) if stride <= WIDEST_STRIDE else self.register_lanes

    def _read(self, strides: tuple[int, ...], bytes_out: int) -> Stream:
        """Of an operand: a whole line where neighbours of the result lie in different ones, out of the memory that the operand spans."""
        lines = min(strides[-1], LINE) if self.shape and strides[-1] > 1 else 1
        read = math.prod(n for n, s in zip(self.shape, strides, strict=True) if s) * lines
        within = 1 + sum((n - 1) * abs(s) for n, s in zip(self.shape, strides, strict=True))
        return Stream(bytes_out * lines, min(read, within) * BYTES)

    def emit(self, threads: int):
        from tvm import tirx
        from tvm.tirx.script.builder import ir as T

        from spcompile.kernels.script import kernel_function, nest, outer_loop

        lanes = self.register_lanes
        extent = self.shape[-1] if self.shape else 1
        parts = min(threads, self._pieces) if len(self.shape) == 1 else 1  # a single axis is split itself; neighbours may write the same numbers twice
        each = -(-self._pieces // parts)

        def body(y, **inputs):
            operands = list(zip(inputs.values(), self.x_strides, self.x_dtypes, strict=True))

            def load(x, strides, dtype, indices):
                value = x[offset(indices, strides)]
                return value if dtype == "float32" else tirx.Cast("float32", value)

            def store(indices, values):
                T.buffer_store(y, evaluate(self.expression, values), [offset(indices, self.y_strides)])

            with nest(self.shape[:-1], threads) as outer, outer_loop(parts, threads) as part, T.serial(0, each) as step:
                piece = part * each + step
                if lanes == 1:
                    indices = [*outer, T.min(piece, extent - 1) if parts > 1 else piece] if self.shape else []
                    store(indices, [load(*operand, indices) for operand in operands])
                else:
                    first = T.min(piece * lanes, extent - lanes)
                    picked = [_picked(x, offset([*outer, first], strides), strides[-1], lanes) if strides[-1] > 1 else None for x, strides, _ in operands]
                    with T.vectorized(0, lanes) as i:
                        indices = [*outer, first + i]
                        store(indices, [load(*operand, indices) if own is None else own[i] for operand, own in zip(operands, picked, strict=True)])

        pointers = {f"x{index}": dtype for index, dtype in enumerate(self.x_dtypes)}
        return kernel_function(self.name, {"y": "float32"} | pointers, body)


def _picked(x, at, stride: int, lanes: int):
    """-> registers with x[at + i * stride] for every lane i: out of whole ones, none of which ends behind what the last lane wants, or one by one."""
    from tvm.tirx import Shuffle
    from tvm.tirx.script.builder import ir as T

    from spcompile.kernels.script import registers, run

    into = registers(lanes)
    if stride > WIDEST_STRIDE:
        for lane in range(lanes):
            T.buffer_store(into, x[at + lane * stride], [lane])
        return into
    begins = [min(part * lanes, (stride - 1) * (lanes - 1)) for part in range(stride)]
    loaded = [x[run(at + begin, lanes)] for begin in begins]
    parts = [lane * stride // lanes for lane in range(lanes)]
    places = [part * lanes + lane * stride - begins[part] for lane, part in enumerate(parts)]
    T.buffer_store(into, Shuffle(loaded, places), [run(0, lanes)])
    return into
