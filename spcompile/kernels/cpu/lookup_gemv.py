"""The sparse product on one position whose numbers of x are looked up in registers.

    y[m] = epilogue( sum_s sum_l value[s, l] * x[base[s] + place[s, l]], m )

A number of x for each entry would take a load each, and loads would bind. A step therefore takes a register's worth of entries, `per_step` of `rows` weights,
out of a window of `registers` registers of x, and a permutation puts each entry's number beside itself as often as it has rows. AVX-512 permutes two registers
at once (`vpermi2ps`); of wider windows the upper bits of a place say from which pair.
"""

from dataclasses import dataclass
from functools import lru_cache

from spcompile.kernels.cpu.reach import BYTES
from spcompile.kernels.cpu.streamed import list_ahead
from spcompile.kernels.expression import ACCUMULATOR, Expression, operations
from spcompile.kernels.kernel import Kernel
from spcompile.kernels.operand import Operand
from spcompile.kernels.work import Stream, Work

LANES = 16
PAIR = 2 * LANES  # numbers that one permutation reaches
REGISTERS = (2, 4, 8)  # of a window
ROWS = (1, 2, 4, 8)
MOST_COLUMNS = (1 << 15) - 1  # that bases of two bytes reach
WORD = 4  # bytes of places that a register of shifted copies reads; more are widened one by one
UNALIGNED = (LANES - 1) / 2  # numbers of a window before its first entry, on average: windows begin where registers do


@dataclass(frozen=True)
class LookupGemv(Kernel):
    """Pointers: x [columns], values [steps, 16], places uint8 [steps, place_bytes], bases int16 [steps], starts [out_rows / rows + 1], y, then one per operand.

    See `formats.lookup_steps`. blocks: entries of all lists.
    """

    out_rows: int
    columns: int
    rows: int
    registers: int
    y_row_stride: int
    blocks: int
    epilogue: Expression = ACCUMULATOR
    operands: tuple[Operand, ...] = ()

    def __post_init__(self):
        assert self.out_rows % self.rows == 0 and self.rows in ROWS and self.registers in REGISTERS and self.window <= self.columns, self

    @property
    def window(self) -> int:
        return self.registers * LANES

    @property
    def per_step(self) -> int:
        return LANES // self.rows

    @property
    def place_bytes(self) -> int:
        """Of one step: where one word holds all places each is there once, else once a lane."""
        return self.per_step if self.per_step <= WORD else LANES

    @property
    def steps(self) -> float:
        """Expected, if weights are kept independently of each other; the last one of each list is half full."""
        row_blocks = self.out_rows // self.rows
        return self.blocks / _fill(self.per_step, self.window, self.blocks / (row_blocks * self.columns)) + row_blocks / 2

    @property
    def stored_bytes(self) -> float:
        return self.steps * (LANES * BYTES + self.place_bytes + 2)

    @property
    def ahead(self) -> int:
        return list_ahead(self.stored_bytes)

    @property
    def code(self) -> tuple:
        return (self.out_rows, self.rows, self.registers, self.y_row_stride, self.ahead, self.epilogue, self.operands)

    @property
    def title(self) -> str:
        return f"f32_lookup_block{self.rows}x1_{self.registers}_m{self.out_rows}"

    @property
    def variant(self) -> str:
        """What there is to choose of this kernel for one layer."""
        return f"lookup {self.rows}x{LANES}, windows of {self.registers}"

    def work(self) -> Work:
        steps, row_blocks, permutations = self.steps, self.out_rows // self.rows, self.registers // 2
        return Work(
            lanes=LANES,
            fma=steps,
            arithmetic=steps * (5 * permutations / 2 - 1) + row_blocks * (operations(self.epilogue) + self.per_step.bit_length()),  # selections, and places
            loads=steps * (self.registers + 1 + (self.place_bytes > WORD)),
            broadcasts=steps * (self.place_bytes <= WORD),
            stores=row_blocks,
            scalar_loads=steps,
            scalar=steps * (3 + bool(self.ahead)),
            used_once=steps * (1 + permutations),
            steps=steps / 2,
            loops=row_blocks,
            streams=(Stream(self.stored_bytes, self.stored_bytes, cold=True), Stream(self.blocks * BYTES, self.columns * BYTES)),
            units=row_blocks,
            macs=self.blocks * self.rows,
        )

    def emit(self, threads: int):
        from spcompile.kernels.cpu.lookup_gemv_code import emit

        return emit(self, threads)


@lru_cache(maxsize=10_000)
def _fill(most: int, window: int, density: float) -> float:
    """Expected entries of a step.

    It begins anywhere in a register where the step before was full, and with the first entry behind a window where that one came to its end.
    """
    begun = UNALIGNED
    for _ in range(2):
        filled, full = _entries(most, int(window - 1 - begun), density)
        begun = full * UNALIGNED + (1 - full) * min(UNALIGNED, (1 - density) / max(density, 1 / window))
    return filled


def _entries(most: int, columns: int, density: float) -> tuple[float, float]:
    """A first entry and those of so many columns behind it, but no more than `most`: (how many, how likely all of them), binomial."""
    filled = 1.0
    short = chance = (1 - density) ** columns  # of no more than so many entries
    for entries in range(most - 1):
        filled += 1 - short
        chance = chance * (columns - entries) / (entries + 1) * density / (1 - density) if density < 1 else 0.0
        short = min(1.0, short + max(0.0, chance))
    return filled, 1 - short + max(0.0, chance)
