"""The gather-offset product of single weights, whose loads all begin where registers do if memory is cut into them.

A tap to the side begins anywhere, and a load that crosses into the next cache line takes the machine twice as long: with registers as long as a line,
all loads of two of three taps of a 3x3 layer, and of more where rows of an image are no whole lines. Here the offsets of a list are grouped by
where in a register they begin.

    residue r:  sums_r[q] = sum over offsets o with o mod lanes = r of value * x[o - r + q]       aligned; q from 0 to tile + lanes - 1
    y[p] = sum over r of sums_r[p + r]

One set of registers holds them all in turn: groups go from the largest residue to 0, and between two of them the sums are moved to the left
by as many lanes as the residues differ, out of pairs of registers.
"""

from dataclasses import dataclass

from spcompile.kernels.cpu.offset_spmm import LATENCY, OffsetSpmm
from spcompile.kernels.work import Work

NARROWEST = 8  # lanes; of shorter registers few loads cross a line


@dataclass(frozen=True)
class AlignedSpmm(OffsetSpmm):
    """Pointers as of `OffsetSpmm`, but starts [depths * out_rows * residues + 1] and offsets that are multiples of `lanes`: each row's list is sorted
    by the residues, largest first, and the residue taken off. x begins with a line; up to lanes - 1 elements behind what taps reach are read.

    Sums that wait for the next range of columns are added last.
    """

    residues: tuple[int, ...] = ()  # of the offsets, modulo lanes, descending

    def __post_init__(self):
        super().__post_init__()
        assert self.rows == 1 and self.lanes >= NARROWEST and self.vectors >= LATENCY and not self.shared_list, self
        assert self.residues and list(self.residues) == sorted(set(self.residues), reverse=True) and self.residues[0] < self.lanes, self

    @property
    def code(self) -> tuple:
        return (*super().code, self.residues)

    @property
    def title(self) -> str:
        return f"{super().title}_aligned"

    @property
    def variant(self) -> str:
        return super().variant.replace(", ", " aligned, ", 1)

    @property
    def last_vectors(self) -> int:
        """All tiles are alike: the code is long, and a second one for the last tile cost more than it saved (13 + 13 + 13 + 12 registers: 324 -> 329 us)."""
        return self.vectors

    @property
    def moves(self) -> tuple[int, ...]:
        """Lanes by which sums go to the left behind each group."""
        return tuple(here - after for here, after in zip(self.residues, (*self.residues[1:], 0), strict=True))

    def registers_of(self, residue: int) -> int:
        """That one group sums up: one more than the tile's where its sums begin inside a register."""
        return self.vectors + (residue > 0)

    def work(self) -> Work:
        work = super().work()
        rounds, lists = self.blocks * self.tiles, self.row_blocks * self.tiles * self.depths
        beyond = rounds * sum(residue > 0 for residue in self.residues) / len(self.residues)
        moved = lists * sum(self.registers_of(residue) for residue, lanes in zip(self.residues, self.moves, strict=True) if lanes)
        return work._replace(
            fma=work.fma + beyond,
            arithmetic=work.arithmetic + moved,
            loads=work.loads + beyond,
            used_once=work.used_once + beyond,
            crossing=0,
            loops=lists * len(self.residues),
            waits=0,
        )

    def emit(self, threads: int):
        from spcompile.kernels.cpu.aligned_spmm_code import emit

        return emit(self, threads)
