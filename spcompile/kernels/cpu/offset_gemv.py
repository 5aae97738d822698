"""The gather-offset sparse product with rows in the lanes, for layers of very few positions.

    y[m, p] = epilogue( sum_j value[m, j] * x[offset[m, j] + p * x_position_stride], m, p )

A linear layer on one position reads each weight once, so memory binds: values stream in order, `rows` neighbouring rows per entry.
"""

from dataclasses import dataclass

from spcompile.kernels.cpu.reach import BYTES, LINE
from spcompile.kernels.cpu.streamed import IN_L3, values_ahead
from spcompile.kernels.expression import ACCUMULATOR, Expression, evaluate, operations
from spcompile.kernels.kernel import Kernel
from spcompile.kernels.operand import Operand, load_operands, operand_pointers
from spcompile.kernels.work import Stream, Work

ASKED_AHEAD = (4, 8)  # rows of a block
UNROLL = 4  # independent sums, so that the latency of one multiply-add does not bind


@dataclass(frozen=True)
class OffsetGemv(Kernel):
    """Pointers: x, values [blocks, rows], offsets [blocks], starts [out_rows / rows + 1], y, then one per operand."""

    out_rows: int
    positions: int
    rows: int
    lanes: int
    x_position_stride: int
    y_row_stride: int
    y_position_stride: int
    blocks: int
    x_footprint: int
    epilogue: Expression = ACCUMULATOR
    operands: tuple[Operand, ...] = ()
    shared_list: bool = False

    def __post_init__(self):
        assert self.out_rows % self.rows == 0, self

    @property
    def lines_ahead(self) -> range:
        """Where the cache lines of values begin that are asked for with each UNROLL blocks, from their first value on. Narrow blocks only: wide ones fill
        registers, and so memory's pipeline, by themselves."""
        ahead = values_ahead(self.out_rows, self.x_footprint, IN_L3) if self.rows in ASKED_AHEAD and not self.shared_list else 0
        return range(ahead, ahead + UNROLL * self.rows if ahead else 0, LINE)

    @property
    def code(self) -> tuple:
        dense = self.blocks if self.shared_list else None
        strides = (self.x_position_stride, self.y_row_stride, self.y_position_stride)
        return (self.out_rows, self.positions, self.rows, self.lanes, strides, dense, self.lines_ahead, self.epilogue, self.operands)

    @property
    def title(self) -> str:
        pattern = "dense" if self.shared_list else f"block{self.rows}x1"
        return f"f32_gemv_{pattern}_{self.rows}_m{self.out_rows}_p{self.positions}"

    @property
    def variant(self) -> str:
        """What there is to choose of this kernel for one layer."""
        return f"gemv {self.rows}x{self.lanes}"

    def work(self) -> Work:
        inner = self.blocks * self.positions
        registers = -(-self.rows // self.lanes)
        row_blocks = self.out_rows // self.rows
        values_bytes = self.blocks * (self.rows + (0 if self.shared_list else 1)) * BYTES
        return Work(
            lanes=self.lanes,
            fma=inner * registers,
            arithmetic=row_blocks * self.positions * registers * (operations(self.epilogue) + UNROLL - 1),
            loads=inner * registers,
            broadcasts=inner,
            stores=row_blocks * self.positions * registers,
            scalar_loads=inner,
            scalar=inner * (1.5 + len(self.lines_ahead) / UNROLL),
            used_once=inner * registers,
            steps=inner / UNROLL,
            loops=row_blocks * self.positions,
            streams=(
                Stream(values_bytes, values_bytes, cold=True),
                Stream(values_bytes * (self.positions - 1), values_bytes),
                Stream(inner * BYTES, self.x_footprint * BYTES),
            ),
            units=row_blocks,
            macs=self.blocks * self.rows * self.positions,
        )

    def emit(self, threads: int):
        return _emit(self, threads)


def _emit(k: OffsetGemv, threads: int):
    from tvm.tirx.script.builder import ir as T

    from spcompile.kernels.script import kernel_function, outer_loop, prefetch, registers

    row_blocks = k.out_rows // k.rows
    per_block = k.blocks // row_blocks  # of a shared list

    def body(x, value, offset, start, y, **operands):
        def accumulate(acc, slot, entry, first, at):
            scalar = x[offset[entry] + at]
            with T.vectorized(0, k.rows) as r:
                T.buffer_store(acc, acc[slot * k.rows + r] + value[first + r] * scalar, [slot * k.rows + r])

        def finish(acc, m, p):
            with T.vectorized(0, k.rows) as r:
                total = acc[r]
                for slot in range(1, UNROLL):
                    total = total + acc[slot * k.rows + r]
                row = m * k.rows + r
                result = evaluate(k.epilogue, [total, *load_operands(operands.values(), k.operands, row, p)])
                T.buffer_store(y, result, [row * k.y_row_stride + p * k.y_position_stride])

        with outer_loop(row_blocks, threads) as m, T.serial(0, k.positions) as p:
            acc = registers(UNROLL * k.rows)
            for slot in range(UNROLL):
                with T.vectorized(0, k.rows) as r:
                    T.buffer_store(acc, T.float32(0), [slot * k.rows + r])
            begin = 0 if k.shared_list else start[m]
            count = per_block if k.shared_list else start[m + 1] - start[m]
            first = (m * per_block if k.shared_list else begin) * k.rows
            with T.serial(0, T.truncdiv(count, UNROLL)) as group:
                for line in k.lines_ahead:
                    prefetch(value, first + group * UNROLL * k.rows + line)
                for slot in range(UNROLL):
                    j = group * UNROLL + slot
                    accumulate(acc, slot, begin + j, first + j * k.rows, p * k.x_position_stride)
            with T.serial(0, T.truncmod(count, UNROLL)) as rest:
                j = T.truncdiv(count, UNROLL) * UNROLL + rest
                accumulate(acc, 0, begin + j, first + j * k.rows, p * k.x_position_stride)
            finish(acc, m, p)

    pointers = {"x": "float32", "value": "float32", "offset": "int32", "start": "int32", "y": "float32"}
    return kernel_function(k.name, pointers | operand_pointers(k.operands), body)
