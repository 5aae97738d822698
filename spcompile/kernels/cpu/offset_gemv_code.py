"""The code of `OffsetGemv`: a block's list in rounds without a branch, what is left one by one, then all sums joined."""

from dataclasses import dataclass

from spcompile.kernels.cpu.offset_gemv import QUAD, OffsetGemv
from spcompile.kernels.expression import evaluate
from spcompile.kernels.operand import load_operands, operand_pointers
from spcompile.kernels.script import kernel_function, outer_loop, prefetch, registers, run


def emit(k: OffsetGemv, threads: int):
    def body(x, value, offset, start, y, **operands):
        _Code(k, x, value, offset, start, y, tuple(operands.values())).loops(threads)

    pointers = {"x": "float32", "value": "float32", "offset": "int16" if k.narrow else "int32", "start": "int32", "y": "float32"}
    return kernel_function(k.name, pointers | operand_pointers(k.operands), body)


@dataclass(frozen=True, eq=False)
class _Code:
    """The kernel with its pointers, while its statements are written."""

    k: OffsetGemv
    x: object
    value: object
    offset: object
    start: object
    y: object
    operands: tuple

    def loops(self, threads: int) -> None:
        from tvm.tirx.script.builder import ir as T

        with outer_loop(self.k.out_rows // self.k.rows, threads) as m, T.serial(0, self.k.positions) as p:
            acc, rest = self.zeros()
            self.sum_up(acc, rest, m, p)
            self.finish(acc, rest, m, p)

    @property
    def width(self) -> int:
        """Lanes of a chain."""
        return self.k.sharing * self.k.rows

    def zeros(self):
        """-> sums of rounds, a chain after the other, and of the entries left."""
        from tvm.tirx.script.builder import ir as T

        k = self.k
        acc, rest = registers(k.chains * self.width), registers(k.rows)
        for chain in range(k.chains):
            with T.vectorized(0, self.width) as i:
                T.buffer_store(acc, T.float32(0), [chain * self.width + i])
        with T.vectorized(0, k.rows) as r:
            T.buffer_store(rest, T.float32(0), [r])
        return acc, rest

    def sum_up(self, acc, rest, m, p) -> None:
        from tvm.tirx.script.builder import ir as T

        k = self.k
        per_block = k.blocks // (k.out_rows // k.rows)  # of a shared list
        begin = 0 if k.shared_list else self.start[m]
        count = per_block if k.shared_list else self.start[m + 1] - self.start[m]
        first, at = (m * per_block if k.shared_list else begin) * k.rows, p * k.x_position_stride
        with T.serial(0, T.truncdiv(count, k.round)) as group:
            self.accumulate(acc, begin, first, group * k.round, at)
        with T.serial(0, T.truncmod(count, k.round)) as left:
            j = T.truncdiv(count, k.round) * k.round + left
            with T.vectorized(0, k.rows) as r:
                T.buffer_store(rest, rest[r] + self.value[first + j * k.rows + r] * self.x[T.Cast("int32", self.offset[begin + j]) + at], [r])

    def accumulate(self, acc, begin, first, entry, at) -> None:
        """A round from `entry` on of the list that begins at offset[begin] and value[first]; at: where x begins for this position."""
        k = self.k
        for line in k.lines_ahead:
            prefetch(self.value, first + entry * k.rows + line)
        places = [place for quad in range(0, k.round, QUAD) for place in self.places(begin + entry + quad)]
        for chain in range(k.chains):
            j = chain * k.sharing
            self.accumulate_shared(acc, chain, places[j : j + k.sharing], first + (entry + j) * k.rows, at)

    def accumulate_shared(self, acc, chain: int, places: list, first, at) -> None:
        """`sharing` entries at `places` of x, each number beside itself as often as an entry has rows."""
        from tvm.tirx.script.builder import ir as T

        spread = registers(self.width)
        for slot, place in enumerate(places):
            with T.vectorized(0, self.k.rows) as r:
                T.buffer_store(spread, self.x[place + at], [slot * self.k.rows + r])
        with T.vectorized(0, self.width) as i:
            here = chain * self.width + i
            T.buffer_store(acc, acc[here] + self.value[first + i] * spread[i], [here])

    def places(self, entry) -> list:
        """Four offsets from `entry` on, int32."""
        from tvm.tirx.script.builder import ir as T

        if not self.k.narrow:
            return [self.offset[entry + place] for place in range(QUAD)]
        quad = T.bind(T.reinterpret("int64", self.offset[run(entry, QUAD)]))  # bound: written out four times LLVM takes it apart again
        return [T.Cast("int32", T.Cast("int16", quad >> T.int64(16 * place))) for place in range(QUAD)]

    def finish(self, acc, rest, m, p) -> None:
        from tvm.tirx.script.builder import ir as T

        k = self.k
        join(acc, k.chains, self.width, k.rows)
        with T.vectorized(0, k.rows) as r:
            row = m * k.rows + r
            result = evaluate(k.epilogue, [acc[r] + rest[r], *load_operands(self.operands, k.operands, row, p)])
            T.buffer_store(self.y, result, [row * k.y_row_stride + p * k.y_position_stride])


def join(acc, chains: int, width: int, rows: int) -> None:
    """All sums into the first `rows` lanes: chains together, then half of what is left onto the other half."""
    from tvm.tirx import Shuffle
    from tvm.tirx.script.builder import ir as T

    total = acc[run(0, width)]
    for chain in range(1, chains):
        total = total + acc[run(chain * width, width)]
    while width > rows:
        width //= 2
        total = Shuffle([total], list(range(width))) + Shuffle([total], list(range(width, 2 * width)))
    T.buffer_store(acc, total, [run(0, width)])
