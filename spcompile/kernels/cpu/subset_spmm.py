"""The gather-offset product of single weights, several rows at a time: a register of x is read once for all of them that want it.

A row that keeps single weights asks for a register of x with each multiply-add, so loads bind it. Of `rows` neighbouring rows the columns are sorted by
which of the rows keep a weight there, their subset; each subset has a list and a loop of its own, which knows the sums it adds to.

    y[m + r, p] = sum over subsets S that hold r, sum over columns j of list S of value[j, r] * x[offset[j] + p]

With half of all weights kept, four rows read 0.47 registers a multiply-add in place of one. Sorting by equal patterns, so that no branch asks, is known
from PatDNN (Niu et al. 2020, filter kernel reorder), which prunes to few patterns; here none is imposed, and any mask can be stored so.
"""

from dataclasses import dataclass

from spcompile.kernels.cpu.offset_spmm import OffsetSpmm
from spcompile.kernels.cpu.reach import BYTES
from spcompile.kernels.work import Work

SUBSET_ROWS = (2, 4)  # of 8 there are 255 subsets, too many lists
UNFORESEEN = (1.6, 2.5)  # penalties of a misprediction that an exit costs: where a tile has no lists, and where it has LEARNT or more
LEARNT = 2000  # lists whose lengths a branch predictor keeps until the next tile


def partly_kept(rows: int, blocks: int, weights: int) -> bool:
    """Are there subsets to tell apart in `blocks` columns of `rows` rows that keep `weights` together?"""
    return rows in SUBSET_ROWS and blocks <= weights < rows * blocks


@dataclass(frozen=True)
class SubsetSpmm(OffsetSpmm):
    """Pointers as of `OffsetSpmm`, but values [weights] and starts [depths * out_rows / rows * record]: of each block of rows where its values begin, where
    the offsets of each subset begin, and where they end. Subset S, 1 to 2**rows - 1, has row r where bit r is set; a column's values follow its rows.
    """

    weights: int = 0  # kept, of all rows; `blocks` counts the columns in which a block of rows keeps any

    def __post_init__(self):
        super().__post_init__()
        assert self.rows in SUBSET_ROWS and not self.shared_list and self.blocks <= self.weights <= self.blocks * self.rows, self

    @property
    def title(self) -> str:
        return super().title.replace(f"block{self.rows}x1", f"subsets{self.rows}")

    @property
    def variant(self) -> str:
        return super().variant.replace("spmm", "spmm subsets", 1)

    @property
    def chains(self) -> int:
        return 1

    @property
    def values_ahead(self) -> int:
        """A column has too few values to ask for a line with each."""
        return 0

    @property
    def subsets(self) -> tuple[tuple[int, ...], ...]:
        """Rows of each, in the order of their lists."""
        return tuple(tuple(row for row in range(self.rows) if subset >> row & 1) for subset in range(1, 2**self.rows))

    @property
    def record(self) -> int:
        """Numbers that `starts` holds for a block of rows: one more than lists, and where its values begin."""
        return 2**self.rows + 1

    @property
    def values_bytes(self) -> float:
        return (self.weights + self.blocks + self.row_blocks * self.depths * self.record) * BYTES

    @property
    def alone(self) -> float:
        """Expected columns in which one row of a block keeps a weight, if weights are kept independently of each other."""
        dropped = 1 - self.weights / (self.out_rows * self.reach.planes * self.reach.rows * self.reach.columns)
        return self.blocks * self.rows * (1 - dropped) * dropped ** (self.rows - 1) / max(1 - dropped**self.rows, 1e-9)

    def work(self) -> Work:
        work, lists = super().work(), self.row_blocks * self.depths * (2**self.rows - 1)
        return work._replace(
            fma=self.weights * self.registers,
            broadcasts=self.weights * self.tiles,
            used_once=self.alone * self.registers,
            loops=0.0,
            unforeseen=lists * self.tiles * (UNFORESEEN[0] + min(1.0, lists / LEARNT) * (UNFORESEEN[1] - UNFORESEEN[0])),
            macs=self.weights * self.positions,
        )

    def emit(self, threads: int):
        from spcompile.kernels.cpu.subset_spmm_code import emit

        return emit(self, threads)
