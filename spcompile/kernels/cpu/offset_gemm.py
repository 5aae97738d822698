"""The dense product with rows in the lanes and a tile of positions in scalars, for images whose rows fill registers badly.

    y[m, p] = epilogue( sum_j value[m, j] * x[offset[j] + p], m, p )        p = h * pitch + w of every pixel (h, w)

With positions in the lanes (`offset_spmm`) a 7 x 7 image takes 64 lanes for 49 pixels, and border columns are computed too. Here a tile is
`tile_height` x `tile_width` pixels, each broadcast against `vectors` registers of rows, and nothing but pixels is touched.
"""

from dataclasses import dataclass

from spcompile.kernels.cpu.reach import BYTES, LINE, Reach
from spcompile.kernels.cpu.streamed import columns_ahead, values_ahead
from spcompile.kernels.expression import ACCUMULATOR, Expression, operations
from spcompile.kernels.kernel import Kernel
from spcompile.kernels.operand import Operand
from spcompile.kernels.work import Stream, Work

SHUFFLES = {4: 2, 8: 3, 16: 4}  # of the transposition, by lanes: so many for each register
SHUFFLE = 4  # multiply-adds that one takes the time of, its share of spills included: seen on Zen 4


@dataclass(frozen=True)
class OffsetGemm(Kernel):
    """Pointers: x, values [row blocks, columns, rows of a block], offsets [columns + x_ahead], starts (unused: every list is whole), y, one per operand.

    The last block of rows and the last tile of pixels are moved back so that they end where the matrix and the image do (`row_blocks` lists
    where blocks begin): what they share with the one before is computed twice, so y must not overlap any operand. Border columns are not written.
    """

    out_rows: int
    columns: int
    height: int
    width: int
    pitch: int
    vectors: int
    tile_height: int
    tile_width: int
    lanes: int
    y_row_stride: int
    x_footprint: int
    reach: Reach
    epilogue: Expression = ACCUMULATOR
    operands: tuple[Operand, ...] = ()
    positions_outer: bool = False
    columns_ahead: int = 0  # what the target wants

    def __post_init__(self):
        assert self.rows <= self.out_rows and self.tile_height <= self.height and self.tile_width <= self.width <= self.pitch, self

    @property
    def rows(self) -> int:
        """Of a block."""
        return self.vectors * self.lanes

    @property
    def row_blocks(self) -> tuple[int, ...]:
        """First row of each block."""
        return tuple(min(first, self.out_rows - self.rows) for first in range(0, self.out_rows, self.rows))

    @property
    def tiles(self) -> tuple[int, int]:
        """Down and across."""
        return -(-self.height // self.tile_height), -(-self.width // self.tile_width)

    @property
    def pixels(self) -> list[int]:
        """Where those of a tile lie from its first one on."""
        return [h * self.pitch + w for h in range(self.tile_height) for w in range(self.tile_width)]

    @property
    def pieces(self) -> list[tuple[int, int]]:
        """Neighbouring pixels of a tile that are written together: (number of the first one, how many), at most a register."""
        across = [(begin, min(self.lanes, self.tile_width - begin)) for begin in range(0, self.tile_width, self.lanes)]
        return [(h * self.tile_width + begin, count) for h in range(self.tile_height) for begin, count in across]

    @property
    def lines_ahead(self) -> range:
        """Where the cache lines of values begin that are asked for with each column, from that column's first value on."""
        ahead = values_ahead(self.out_rows, self.columns)
        return range(ahead, ahead + self.rows if ahead else 0, LINE)

    @property
    def x_ahead(self) -> int:
        """Columns between the one that is multiplied and the one whose pixels are asked for; 0: they are not."""
        row = self.tile_width + self.reach.columns - 1 + LINE - 1  # in whole lines, since a tile begins anywhere in one
        lines = (self.tile_height + self.reach.rows - 1) * row
        tile = self.reach.planes * self.reach.held(lines)
        return columns_ahead(self.columns_ahead, (tile if self.positions_outer else self.x_footprint) * BYTES)

    @property
    def pixels_ahead(self) -> tuple[int, ...]:
        """Those of a tile that are asked for: the first and last of each piece, which may lie in two lines."""
        ends = [(self.pixels[begin], self.pixels[begin + count - 1]) for begin, count in self.pieces] if self.x_ahead else []
        return tuple(dict.fromkeys(pixel for pair in ends for pixel in pair))

    @property
    def masks(self) -> bool:
        """Is a part of a register written by one instruction? With AVX-512, whose registers alone have 16 lanes, and operands that lie as y does."""
        return self.lanes == 16 and all(operand.position_stride in (0, 1) for operand in self.operands)

    @property
    def code(self) -> tuple:
        tile = (self.vectors, self.tile_height, self.tile_width, self.lanes, self.positions_outer)
        return (self.out_rows, self.columns, self.height, self.width, self.pitch, tile, self.y_row_stride, self.x_ahead, self.epilogue, self.operands)

    @property
    def title(self) -> str:
        tile = f"{self.vectors}x{self.lanes}x{self.tile_height}x{self.tile_width}"
        return f"f32_gemm_dense_{tile}_m{self.out_rows}_{self.height}x{self.width}"

    @property
    def variant(self) -> str:
        """What there is to choose of this kernel for one layer."""
        order = "positions" if self.positions_outer else "rows"
        return f"gemm {self.vectors}x{self.lanes}x{self.tile_height}x{self.tile_width}, {order} outermost"

    def work(self) -> Work:
        tiles, blocks, pixels = self.tiles[0] * self.tiles[1], len(self.row_blocks), self.tile_height * self.tile_width
        rounds = tiles * blocks * self.columns
        turned = tiles * blocks * self.vectors * self.lanes * len(self.pieces)
        tensors = sum(1 for operand in self.operands if operand.is_tensor)
        return Work(
            lanes=self.lanes,
            fma=rounds * pixels * self.vectors,
            arithmetic=turned * (operations(self.epilogue) + SHUFFLE * SHUFFLES[self.lanes]),
            loads=rounds * self.vectors + turned * tensors,
            broadcasts=rounds * pixels,
            stores=turned * sum(1 if self.masks else count.bit_count() for _, count in self.pieces) / len(self.pieces),  # 7 lanes as 4, 2 and 1
            scalar_loads=rounds * (2 if self.x_ahead else 1),
            scalar=rounds * (4 + len(self.lines_ahead) + (1 + len(self.pixels_ahead) if self.x_ahead else 0)),
            used_once=rounds * pixels if self.vectors == 1 else 0,
            steps=rounds / max(1, -(-4 // (pixels * self.vectors))),
            loops=tiles * blocks,
            streams=self._streams(tiles, blocks, tensors),
            units=tiles if self.positions_outer else blocks,
            macs=self.columns * self.out_rows * self.height * self.width,
        )

    def _streams(self, tiles: int, blocks: int, tensors: int) -> tuple[Stream, ...]:
        """Inside the outer loop one side is read again and again: values of all blocks, or x of all tiles."""
        row = self.reach.run(self.tile_width)
        tile = self.reach.planes * min(self.tile_height * row, row + (self.tile_height - 1) * self.pitch) * BYTES
        block, values = self.columns * self.rows * BYTES, blocks * self.columns * self.rows * BYTES
        x_bytes, y_bytes = self.x_footprint * BYTES, self.out_rows * self.y_row_stride * BYTES
        first = min(tile * tiles, x_bytes)
        if self.positions_outer:
            again = (Stream(values * (tiles - 1), values + tile), Stream(tile * tiles * (blocks - 1), tile + block))
        else:
            again = (Stream(values * (tiles - 1), block + tile), Stream(tile * tiles * blocks - first, x_bytes + block))
        return (
            Stream(values, values, cold=True),
            Stream(first, x_bytes),
            *again,
            Stream(y_bytes, x_bytes + y_bytes, cold=True),
            Stream(y_bytes * tensors, x_bytes + y_bytes),
        )

    def emit(self, threads: int):
        from spcompile.kernels.cpu.offset_gemm_code import emit

        return emit(self, threads)
