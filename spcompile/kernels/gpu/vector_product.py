"""The product of a layer that keeps vectors of eight rows: tensor cores multiply the columns that a band of rows keeps, gathered from shared memory.

    y[p, m] = epilogue( sum_k weight[m, k] * x[k, p], m, p )

Positions are the rows of A, weights the columns of B, eight of them: a band. Inputs lie with their positions adjacent, so one ldmatrix gathers any
sixteen columns of sixteen positions. A thread block takes 128 rows x 128 positions, as many rows because each brings all inputs from L2; 128 columns of
them at a time, with the steps of all its bands, pass through `stages` buffers of shared memory, and a warp multiplies 32 positions by half of the bands:
eight lists together are about as long as eight others.
"""

from dataclasses import dataclass

from spcompile.formats.column_vectors import BANDS, REACH, ROWS, STEP_WORDS
from spcompile.kernels.expression import ACCUMULATOR, Expression
from spcompile.kernels.gpu.kernel import WARP, GpuKernel
from spcompile.kernels.gpu.mma_product import DTYPES
from spcompile.kernels.gpu.tile_output import tile_words
from spcompile.kernels.gpu.work import Product
from spcompile.kernels.operand import Operand

TILE_ROWS, TILE_POSITIONS = ROWS * BANDS, 128
WARPS = (2, 4)  # that share the bands, and the positions
POSITION_WORDS = TILE_POSITIONS // 2  # of one column of inputs


@dataclass(frozen=True)
class VectorProduct(GpuKernel):
    """Pointers: words and starts as `formats.column_vectors` packs them, x, y, one per operand.

    x: element (k, p) at k * x_stride + p, x_stride a multiple of 8. y: element (p, m) at p * y_stride + m. operands of dtype `operand_dtypes`.
    """

    rows: int
    positions: int
    columns: int
    x_stride: int
    y_stride: int
    most_steps: int  # of a tile within one reach: shared memory has room for so many
    stages: int
    dtype: str
    epilogue: Expression = ACCUMULATOR
    operands: tuple[Operand, ...] = ()
    operand_dtypes: tuple[str, ...] = ()
    aligned: bool = False  # y and all operands begin at a multiple of four elements
    kept: float = 1.0  # share of the weights that is multiplied; data, not code

    threads = WARPS[0] * WARPS[1] * WARP

    def __post_init__(self):
        assert self.dtype in DTYPES and len(self.operands) == len(self.operand_dtypes) and self.stages > 1 and self.x_stride % 8 == 0, self

    @property
    def code(self) -> tuple:
        shape = (self.rows, self.positions, self.columns, self.x_stride, self.y_stride, self.most_steps, self.stages)
        return (*shape, self.dtype, self.epilogue, self.operands, self.operand_dtypes, self.aligned)

    @property
    def title(self) -> str:
        return f"{DTYPES[self.dtype]}_mma_vectors{ROWS}_m{self.rows}_p{self.positions}_k{self.columns}"

    @property
    def y_strides(self) -> tuple[int, ...]:
        """Everything but channels."""
        return (self.y_stride,)

    @property
    def grid(self) -> tuple[int, int]:
        return -(-self.rows // TILE_ROWS), -(-self.positions // TILE_POSITIONS)

    @property
    def reaches(self) -> int:
        return -(-self.columns // REACH)

    @property
    def shared_words(self) -> int:
        return words_of(self.most_steps, self.stages)

    def work(self) -> Product:
        return Product(self.rows, self.positions, self.columns, kept=self.kept, vectors=True)

    def emit(self, threads: int):
        from spcompile.kernels.gpu.vector_code import emit

        return emit(self)


def stage_words(most_steps: int) -> int:
    """Of one buffer: inputs, then steps."""
    return REACH * POSITION_WORDS + most_steps * STEP_WORDS


def words_of(most_steps: int, stages: int) -> int:
    """Of shared memory."""
    return max(stages * stage_words(most_steps), tile_words(TILE_ROWS, TILE_POSITIONS))
