"""The gather-offset sparse matrix product with positions in the lanes.

    y[m, p] = epilogue( sum_j value[m, j] * x[offset[m, j] + p], m, p )

`x` is one image, channels outermost; a tap of a convolution is a constant offset. `rows` neighbouring rows share one offset
list; `vectors` registers of positions are accumulated at a time. See formats.block_rows for the lists.
"""

from dataclasses import dataclass, replace

from spcompile.kernels.cpu.reach import BYTES, LINE, Reach
from spcompile.kernels.cpu.streamed import columns_ahead, values_ahead
from spcompile.kernels.cpu.tiled import TiledPositions
from spcompile.kernels.expression import Expression, operations
from spcompile.kernels.kernel import Kernel
from spcompile.kernels.operand import Operand
from spcompile.kernels.work import Stream, Work

ROWS_THAT_ASK = 8  # of a block: with fewer, the instructions that ask for x take longer than waiting for it
LATENCY = 4  # cycles, and so independent multiply-adds, that keep one pipe busy on the cores we know


@dataclass(frozen=True)
class OffsetSpmm(TiledPositions, Kernel):
    """Pointers: x, values [blocks, rows], offsets [blocks + x_ahead], starts [depths * out_rows / rows + 1], y, then one per operand of the epilogue;
    with `scattered`, last, the row of y [out_rows] that each row computed is: so that empty rows can be gathered in blocks of their own.

    The last tile has as few registers as cover what is left, and is moved back so that it ends at the last position: some positions are computed twice,
    none beyond the end, therefore `positions >= vectors * lanes` and y must not overlap any operand.
    With `beside` 1 one more position follows the last: its sums have the rows of a block in their lanes, one multiply-add for all of them in the place of
    one register a row for a single number.
    With `depths` > 1 the columns are cut into so many ranges, one after the other for all rows (lists are sorted that way), so that the
    part of x a tile reads stays in L1; sums wait in y meanwhile. Then no tile may be computed by two threads at once.
    """

    out_rows: int
    positions: int
    rows: int
    vectors: int
    lanes: int
    y_row_stride: int
    blocks: int  # entries of the offset list of all row blocks together
    x_footprint: int  # elements of x that the offsets can reach
    reach: Reach
    epilogue: Expression = ("operand", 0)
    operands: tuple[Operand, ...] = ()
    shared_list: bool = False  # every row block uses the same offsets (dense); `blocks` still counts values / rows
    positions_outer: bool = True
    depths: int = 1
    scattered: bool = False
    beside: int = 0
    columns_ahead: int = 0  # what the target wants, where asking pays

    def __post_init__(self):
        assert self.out_rows % self.rows == 0 and self.positions >= self.tile, self
        assert not self.beside or (self.chains == 1 and self.positions % self.lanes == 0), self
        assert self.depths == 1 or (self.positions_outer and not self.shared_list), self

    @property
    def chains(self) -> int:
        """Independent sums per register, so that few registers still hide the latency of a multiply-add."""
        return -(-LATENCY // (self.rows * self.vectors))

    @property
    def last_vectors(self) -> int:
        """Registers of the last tile."""
        return -(-(self.positions - (self.tiles - 1) * self.tile) // self.lanes)

    @property
    def last(self) -> "OffsetSpmm":
        """The last tile alone."""
        return replace(self, vectors=self.last_vectors, positions=self.last_vectors * self.lanes)

    @property
    def registers(self) -> int:
        """Of positions, in all tiles together."""
        return (self.tiles - 1) * self.vectors + self.last_vectors

    @property
    def asks_ahead(self) -> bool:
        """Not with blocks of one row: they have no load slot to spare."""
        return self.rows > 1

    @property
    def rows_ahead(self) -> int:
        """Of y and the operands, asked for while a block is summed up: all; none where sums wait in y, since those are read first anyway."""
        return self.rows if self.asks_ahead and self.depths == 1 else 0

    @property
    def planes_ahead(self) -> int:
        """Images of x whose part for the next tile is fetched into L2 beside each row block: pointwise layers do too little with what they
        read for its way from L3 to hide. 0: other layers, and single tiles."""
        pointwise = self.reach.rows == self.reach.columns == 1
        wanted = self.asks_ahead and pointwise and self.positions_outer and self.tiles > 1
        return -(-self.reach.planes // (self.row_blocks * self.depths)) if wanted else 0

    @property
    def values_ahead(self) -> int:
        reach = self.reach
        return values_ahead(self.out_rows, reach.planes * reach.rows * reach.columns) if self.asks_ahead else 0

    @property
    def x_ahead(self) -> int:
        """Columns between the one that is multiplied and the one whose part of x is asked for; 0: x is not."""
        tile = self.reach.planes * self.reach.held(self.reach.run(self.tile))
        between = tile / self.depths if self.positions_outer else self.x_footprint
        pays = self.chains == 1 and (self.shared_list or self.rows >= ROWS_THAT_ASK)
        return columns_ahead(self.columns_ahead, between * BYTES) if pays else 0

    @property
    def code(self) -> tuple:
        """Everything the emitted code depends on: block counts are data."""
        dense = self.blocks if self.shared_list else None
        tile = (self.rows, self.vectors, self.lanes, self.positions_outer, self.depths, self.scattered)
        planes = (self.reach.planes, self.reach.plane_elements) if self.planes_ahead else None
        ahead = (planes, self.values_ahead, self.x_ahead)
        return (self.out_rows, self.positions, self.beside, tile, self.y_row_stride, dense, ahead, self.epilogue, self.operands)

    @property
    def title(self) -> str:
        pattern = "dense" if self.shared_list else f"block{self.rows}x1"
        return f"f32_spmm_{pattern}_{self.rows}x{self.vectors}x{self.lanes}_m{self.out_rows}_p{self.positions}"

    @property
    def variant(self) -> str:
        """What there is to choose of this kernel for one layer."""
        order = f"positions outermost, {self.depths} ranges of columns" if self.positions_outer else "rows outermost"
        return f"spmm {self.rows}x{self.vectors}x{self.lanes}, {order}"

    @property
    def row_blocks(self) -> int:
        return self.out_rows // self.rows

    @property
    def values_bytes(self) -> float:
        """And of offsets."""
        return self.blocks * (self.rows + (0 if self.shared_list else 1)) * BYTES

    def work(self) -> Work:
        tiles, registers, row_blocks = self.tiles, self.registers, self.row_blocks
        rounds, reads, cells = self.blocks * tiles, self.blocks * registers, self.out_rows * registers
        tensors = sum(1 for operand in self.operands if operand.is_tensor)
        masks = sum(1 for operand in self.operands if operand.is_mask)
        fetched = tiles * self.depths * row_blocks * -(-self.tile // LINE) * (self.rows_ahead * (1 + tensors) + self.planes_ahead)
        waiting = cells * (self.depths - 1)  # sums kept for the next range of columns
        spare = self.blocks * self.beside
        asking = 1 + -(-self.tile // LINE) if self.x_ahead else 0  # instructions a round
        once = reads if self.rows == 1 else rounds * self.rows if self.vectors == 1 else 0
        return Work(
            lanes=self.lanes,
            fma=reads * self.rows + spare,
            arithmetic=cells * operations(self.epilogue) + (cells * self.depths if self.depths > 1 else 0),  # choosing between sums and zeros
            loads=reads + cells * (tensors + masks / self.rows) + waiting + spare,  # a mask is the same for all rows of a block
            broadcasts=rounds * self.rows + spare,
            stores=cells + waiting + self.out_rows * self.beside,
            scalar_loads=rounds * (2 if self.x_ahead else 1),
            scalar=rounds * (3 if self.rows == 1 else 7) + (rounds if self.values_ahead else 0) + rounds * asking + fetched,
            used_once=once + spare,
            crossing=0 if self.reach.aligned else reads * (self.lanes - 1) / LINE,
            steps=rounds / self.chains,
            loops=row_blocks * tiles * self.depths,
            waits=row_blocks * tiles * (self.depths - 1),
            streams=self._streams(rounds, reads, tensors, waiting),
            units=tiles if self.positions_outer else row_blocks,
            macs=self.blocks * self.rows * (self.positions + self.beside),
        )

    def _streams(self, rounds: int, reads: int, tensors: int, waiting: int) -> tuple[Stream, ...]:
        """x is read anew in every round, and for a first time from where it lies; tiles outside pass over the values once a tile."""
        reach = self.reach
        read = (reads * self.lanes + rounds * (0 if reach.aligned else LINE - 1)) * BYTES
        x_bytes, y_bytes = self.x_footprint * BYTES, self.out_rows * self.y_row_stride * BYTES
        values = self.values_bytes
        if self.positions_outer:
            tile = reach.planes * reach.run(self.tile) * reach.crowded(self.tile) * BYTES / self.depths
            first = min(read, x_bytes * (1 if reach.aligned else min(reach.rows, 1 + LINE / self.tile)))
            again = (Stream(read - first, tile), Stream(values * (self.tiles - 1), values + tile))
        else:
            planes = reach.touched(self.blocks / self.row_blocks)
            first = min(read, self.row_blocks * planes * self.positions * BYTES)
            again = (Stream(read - first, planes * min(reach.plane_elements, reach.run(self.tile)) * BYTES),)
        return (
            Stream(values, values, cold=True),
            Stream(first, x_bytes + y_bytes if self.positions_outer else x_bytes),
            *again,
            Stream(y_bytes, x_bytes + y_bytes, cold=True),
            Stream(y_bytes * tensors, x_bytes + y_bytes),
            Stream(waiting * self.lanes * BYTES * 2, self.out_rows * self.tile * BYTES),
        )

    def emit(self, threads: int):
        from spcompile.kernels.cpu.offset_spmm_code import emit

        return emit(self, threads)
