"""The code of `Reduce`: one result after the other, its elements gathered in a register, whose lanes are joined where they ran over reduced axes."""

from dataclasses import dataclass

from spcompile.kernels.cpu.reduce import Reduce
from spcompile.kernels.expression import START, evaluate
from spcompile.kernels.script import kernel_function, nest, registers


def emit(k: Reduce, threads: int):
    return kernel_function(k.name, {"x": "float32", "y": "float32"}, lambda x, y: _Code(k, x, y).loops(threads))


@dataclass(frozen=True, eq=False)
class _Code:
    """The kernel with its pointers, while its statements are written."""

    k: Reduce
    x: object
    y: object

    def loops(self, threads: int) -> None:
        from tvm.tirx.script.builder import ir as T

        k, lanes = self.k, self.k.outer_lanes
        if lanes == 1:
            with nest([axis[0] for axis in k.outer], threads) as outside:
                self.cell(outside)
            return
        extent = k.outer[-1][0]
        with nest([axis[0] for axis in k.outer[:-1]], threads) as outside, T.serial(0, -(-extent // lanes)) as t:
            self.cell([*outside, T.min(t * lanes, extent - lanes)])

    def cell(self, outside: list) -> None:
        """A result, or as many as there are outer lanes, at these indices of the outer axes."""
        from tvm.tirx.script.builder import ir as T

        k = self.k
        lanes = max(k.outer_lanes, k.inner_lanes)
        acc = registers(lanes)
        with T.vectorized(0, lanes) as i:
            T.buffer_store(acc, T.float32(START[k.reduction]), [i])
        self.gather(acc, _address(outside, k.outer, 1))
        if k.inner_lanes > 1:
            with T.serial(1, lanes) as i:
                T.buffer_store(acc, self.combined(acc[0], acc[i]), [0])
        step = k.outer[-1][2] if k.outer_lanes > 1 else 0
        with T.vectorized(0, k.outer_lanes) as i:
            T.buffer_store(self.y, evaluate(k.finish, [acc[i]]), [_address(outside, k.outer, 2) + i * step])

    def gather(self, acc, base) -> None:
        """All elements of x from `base` on along the reduced axes."""
        from tvm.tirx.script.builder import ir as T

        k, lanes = self.k, self.k.inner_lanes
        if lanes == 1:
            with nest([axis[0] for axis in k.inner], 1) as inside:
                self.absorb(acc, base + _address(inside, k.inner, 1), k.outer_lanes)
            return
        extent = k.inner[-1][0]
        with nest([axis[0] for axis in k.inner[:-1]], 1) as inside:
            row = base + _address(inside, k.inner[:-1], 1)
            with T.serial(0, extent // lanes) as t:
                self.absorb(acc, row + t * lanes, lanes)
            with T.serial(0, extent % lanes) as rest:
                self.absorb(acc, row + extent // lanes * lanes + rest, 1)

    def absorb(self, acc, address, lanes: int) -> None:
        """x[address...] into the first lanes."""
        from tvm.tirx.script.builder import ir as T

        if lanes == 1:
            T.buffer_store(acc, self.combined(acc[0], evaluate(self.k.element, [self.x[address]])), [0])
            return
        with T.vectorized(0, lanes) as i:
            T.buffer_store(acc, self.combined(acc[i], evaluate(self.k.element, [self.x[address + i]])), [i])

    def combined(self, a, b):
        from tvm.tirx.script.builder import ir as T

        return a + b if self.k.reduction == "add" else {"max": T.max, "min": T.min}[self.k.reduction](a, b)


def _address(indices: list, axes: tuple, column: int):
    """column: where an axis holds its stride, 1 of x and 2 of y."""
    return sum(i * axis[column] for i, axis in zip(indices, axes, strict=True))
