"""The gather-offset sparse product with rows in the lanes, for layers of very few positions.

    y[m, p] = epilogue( sum_j value[m, j] * x[offset[m, j] + p * x_position_stride], m, p )

A linear layer on one position reads each weight once, so memory binds: values stream in order, `rows` neighbouring rows per entry. Entries narrower than
a register are multiplied several at a time, `sharing` of them side by side, and their sums are added up when the list ends. Two bytes hold an offset
where they can; four of them are one load.
"""

from dataclasses import dataclass

from spcompile.kernels.cpu.reach import BYTES, LINE
from spcompile.kernels.cpu.streamed import list_ahead
from spcompile.kernels.expression import ACCUMULATOR, Expression, operations
from spcompile.kernels.kernel import Kernel
from spcompile.kernels.operand import Operand
from spcompile.kernels.work import Stream, Work

CHAINS = {1: 4, 2: 2, 4: 4, 8: 1, 16: 1}  # by `sharing`: independent sums, so that the latency of a multiply-add does not bind
QUAD = 4  # offsets of two bytes in one load
NARROW = 1 << 15  # numbers of x that offsets of two bytes reach, forwards or, for taps before a window's centre, backwards


@dataclass(frozen=True)
class OffsetGemv(Kernel):
    """Pointers: x, values [blocks, rows], offsets [blocks] (int16 where `narrow`, else int32), starts [out_rows / rows + 1], y, then one per operand."""

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
        assert self.out_rows % self.rows == 0 and self.round % QUAD == 0, self

    @property
    def sharing(self) -> int:
        """Entries in one register, a power of two."""
        return 1 << max(0, (self.lanes // self.rows).bit_length() - 1)

    @property
    def chains(self) -> int:
        return CHAINS[self.sharing]

    @property
    def round(self) -> int:
        """Entries that are multiplied without a branch in between."""
        return self.sharing * self.chains

    @property
    def narrow(self) -> bool:
        return self.x_footprint <= NARROW

    @property
    def stored_bytes(self) -> int:
        """Of all entries: values and, unless one list serves all rows, offsets."""
        return self.blocks * (self.rows * BYTES + (0 if self.shared_list else 2 if self.narrow else 4))

    @property
    def lines_ahead(self) -> range:
        """Where the cache lines of values begin that are asked for with each round of entries, from their first value on. Narrow blocks only: wide ones fill
        registers, and so memory's pipeline, by themselves."""
        ahead = list_ahead(self.stored_bytes) if self.rows < self.lanes and not self.shared_list else 0
        return range(ahead, ahead + self.round * self.rows if ahead else 0, LINE)

    @property
    def code(self) -> tuple:
        dense = self.blocks if self.shared_list else None
        strides = (self.x_position_stride, self.y_row_stride, self.y_position_stride)
        return (self.out_rows, self.positions, self.rows, self.lanes, strides, dense, self.narrow, self.lines_ahead, self.epilogue, self.operands)

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
        wide = -(-self.rows // self.lanes)  # registers of an entry
        multiplied = inner * wide / self.sharing
        row_blocks = self.out_rows // self.rows
        joined = wide * (self.chains - 1) + self.sharing.bit_length() - 1
        offset_loads = 1 / QUAD if self.narrow else 1
        return Work(
            lanes=self.lanes,
            fma=multiplied,
            arithmetic=row_blocks * self.positions * (wide * operations(self.epilogue) + joined)
            + inner * (1 - 1 / self.sharing),  # side by side: a shuffle each
            loads=multiplied,
            broadcasts=inner,
            stores=row_blocks * self.positions * wide,
            scalar_loads=inner * offset_loads,
            scalar=inner * ((2 if self.narrow else 0.5) + (4 + len(self.lines_ahead)) / self.round),
            used_once=multiplied,
            steps=inner / self.round,
            loops=row_blocks * self.positions,
            streams=(
                Stream(self.stored_bytes, self.stored_bytes, cold=True),
                Stream(self.stored_bytes * (self.positions - 1), self.stored_bytes),
                Stream(inner * BYTES, self.x_footprint * BYTES),
            ),
            units=row_blocks,
            macs=self.blocks * self.rows * self.positions,
        )

    def emit(self, threads: int):
        from spcompile.kernels.cpu.offset_gemv_code import emit

        return emit(self, threads)
