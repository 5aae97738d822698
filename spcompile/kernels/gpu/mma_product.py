"""The product of a layer on tensor cores: dense or in blocks of columns (mma, wgmma), or 2:4 (mma.sp, wgmma.mma_async.sp), 16-bit floats summed in fp32.

    y[p, m] = epilogue( sum_k weight[m, k] * x[p, k], m, p )        k = (tap, channel), x gathered under the window while it is copied

Rows of the weight are the rows of A, since the sparse operand must be A; positions are the columns of B. A thread block takes a tile of rows x
positions and walks over the columns 64 at a time through `stages` buffers of shared memory, filled by cp.async ahead of use; the sums pass through
shared memory once more, so that neighbouring threads write neighbouring channels.
"""

from dataclasses import dataclass

from spcompile.formats.two_of_four import COLUMNS
from spcompile.kernels.expression import ACCUMULATOR, Expression
from spcompile.kernels.gpu.kernel import GpuKernel
from spcompile.kernels.gpu.tile import Tile
from spcompile.kernels.gpu.window import Window
from spcompile.kernels.gpu.work import Product
from spcompile.kernels.operand import Operand

DTYPES = {"float16": "f16", "bfloat16": "bf16"}


@dataclass(frozen=True)
class MmaProduct(GpuKernel):
    """Pointers: weights, metadata (2:4 only) or starts, blocks and order (blocks of columns only), x, y, one per operand.

    weights: dense [rows, weight_stride], 2:4 and blocks as `formats.two_of_four` and `formats.column_blocks` pack them (weight_stride 0 for blocks).
    y: element (p, m) at p * y_stride + m. batch: products of one launch, with their strides in elements; the groups of a convolution are a batch.
    operands of dtype `operand_dtypes`.
    """

    rows: int
    positions: int
    window: Window
    weight_stride: int
    y_stride: int
    tile: Tile
    dtype: str
    two_of_four: bool = False
    batch: int = 1
    batch_strides: tuple[int, int, int] = (0, 0, 0)  # weights, x, y
    inner: int = 1  # so many of a batch follow one another at inner_strides, as the heads of each sequence do; then comes the next batch_strides
    inner_strides: tuple[int, int, int] = (0, 0, 0)
    epilogue: Expression = ACCUMULATOR
    operands: tuple[Operand, ...] = ()
    operand_dtypes: tuple[str, ...] = ()
    weight_columns: int = 0  # of a row that may be read, where it is fewer than the window's
    block_width: int = 0  # of the blocks of columns that tiles of rows keep, as `formats.column_blocks` packs them; 0: every column
    aligned: bool = False  # y and all operands begin at a multiple of four elements, four rows of a tile at a time are neighbours in y
    kept: float = 1.0  # share of the weights in these blocks; data, not code

    def __post_init__(self):
        assert self.dtype in DTYPES and len(self.operands) == len(self.operand_dtypes), self
        assert self.batch % self.inner == 0, self
        assert not ((self.two_of_four or self.block_width) and self.batch > 1), "sparse weights come one matrix a launch"
        assert self.block_width in (0, 16, 32, 64) and not (self.two_of_four and self.block_width), self

    @property
    def code(self) -> tuple:
        shape = (
            self.rows,
            self.positions,
            self.window,
            self.weight_stride,
            self.weight_columns,
            self.block_width,
            self.y_stride,
            self.batch,
            self.batch_strides,
            self.inner,
            self.inner_strides,
        )
        return (*shape, self.tile, self.dtype, self.two_of_four, self.epilogue, self.operands, self.operand_dtypes, self.aligned)

    @property
    def title(self) -> str:
        kind = "sparse24" if self.two_of_four else f"blocks{self.block_width}" if self.block_width else "dense"
        taps = "x".join(map(str, self.window.kernel))
        instruction = "wgmma" if self.tile.warpgroups else "mma"
        return f"{DTYPES[self.dtype]}_{instruction}_{kind}_{self.tile.rows}x{self.tile.positions}_m{self.rows}_p{self.positions}_k{self.window.columns}_{taps}"

    @property
    def y_strides(self) -> tuple[int, ...]:
        """Everything but channels."""
        return self.y_stride, self.batch_strides[2], self.inner_strides[2]

    @property
    def threads(self) -> int:
        return self.tile.threads

    @property
    def shared_words(self) -> int:
        return self.tile.words(self.two_of_four)

    @property
    def grid(self) -> tuple[int, int, int]:
        return -(-self.rows // self.tile.rows), -(-self.positions // self.tile.positions), self.batch

    @property
    def steps(self) -> int:
        """Of 64 columns."""
        return -(-self.window.columns // COLUMNS)

    def work(self) -> Product:
        reads = max(1.0, self.window.taps / _area(self.window.strides))
        return Product(self.rows, self.positions, self.window.columns, self.two_of_four, self.batch, reads, self.kept)

    def emit(self, threads: int):
        from spcompile.kernels.gpu.mma_code import WarpThread
        from spcompile.kernels.gpu.product_code import emit
        from spcompile.kernels.gpu.wgmma_code import WarpgroupThread

        return emit(self, WarpgroupThread if self.tile.warpgroups else WarpThread)


def _area(sizes: tuple[int, int]) -> int:
    return sizes[0] * sizes[1]
