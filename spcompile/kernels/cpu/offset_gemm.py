"""The dense product with rows in the lanes and a tile of positions in scalars, for images whose rows fill registers badly.

    y[m, p] = epilogue( sum_j value[m, j] * x[offset[j] + p], m, p )        p = h * pitch + w of every pixel (h, w)

With positions in the lanes (`offset_spmm`) a 7 x 7 image takes 64 lanes for 49 pixels, and border columns are computed too. Here a tile is
`tile_height` x `tile_width` pixels, each broadcast against `vectors` registers of rows, and nothing but pixels is touched.
"""

from dataclasses import dataclass

from spcompile.kernels.cpu.reach import BYTES, LINE, Reach
from spcompile.kernels.cpu.streamed import values_ahead
from spcompile.kernels.expression import ACCUMULATOR, Expression, evaluate, operations
from spcompile.kernels.kernel import Kernel
from spcompile.kernels.operand import Operand, load_operands, operand_pointers
from spcompile.kernels.work import Stream, Work

SHUFFLES = {4: 2, 8: 3, 16: 4}  # of the transposition, by lanes: so many for each register
SHUFFLE = 4  # multiply-adds that one takes the time of, its share of spills included: seen on Zen 4


@dataclass(frozen=True)
class OffsetGemm(Kernel):
    """Pointers: x, values [row blocks, columns, rows of a block], offsets [columns], starts (unused: every list is whole), y, one per operand.

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
    def masks(self) -> bool:
        """Is a part of a register written by one instruction? With AVX-512, whose registers alone have 16 lanes, and operands that lie as y does."""
        return self.lanes == 16 and all(operand.position_stride in (0, 1) for operand in self.operands)

    @property
    def code(self) -> tuple:
        tile = (self.vectors, self.tile_height, self.tile_width, self.lanes, self.positions_outer)
        return (self.out_rows, self.columns, self.height, self.width, self.pitch, tile, self.y_row_stride, self.epilogue, self.operands)

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
            scalar_loads=rounds,
            scalar=rounds * (4 + len(self.lines_ahead)),
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
        return _emit(self, threads)


def _emit(k: OffsetGemm, threads: int):
    from tvm.tirx.script.builder import ir as T

    from spcompile.kernels.script import kernel_function, outer_loop, prefetch, registers

    pixels, (down, across), blocks = k.pixels, k.tiles, len(k.row_blocks)

    def body(x, value, offset, start, y, **operands):
        def block(tile, number):
            first = T.min(T.truncdiv(tile, across) * k.tile_height, k.height - k.tile_height) * k.pitch
            first = first + T.min(T.truncmod(tile, across) * k.tile_width, k.width - k.tile_width)
            fetch(T.min(number * k.rows, k.out_rows - k.rows), first)
            acc = registers(len(pixels) * k.rows)
            for register in range(len(pixels) * k.vectors):
                with T.vectorized(0, k.lanes) as i:
                    T.buffer_store(acc, T.float32(0), [register * k.lanes + i])
            with T.serial(0, k.columns) as j:
                for line in k.lines_ahead:
                    prefetch(value, (number * k.columns + j) * k.rows + line)
                for index, pixel in enumerate(pixels):
                    for v in range(k.vectors):
                        with T.vectorized(0, k.lanes) as i:
                            here = index * k.rows + v * k.lanes + i
                            weights = value[(number * k.columns + j) * k.rows + v * k.lanes + i]
                            T.buffer_store(acc, acc[here] + weights * x[offset[j] + first + pixel], [here])
            finish(acc, T.min(number * k.rows, k.out_rows - k.rows), first)

        def fetch(first_row, first):
            """Ask for what the block's end will touch: the last pixel's line of each piece, since the tile before asked for the first one's."""
            tensors = [(b, o) for b, o in zip(operands.values(), k.operands, strict=True) if o.is_tensor]
            for begin, count in k.pieces:
                at = first + pixels[begin] + count - 1
                for row in (first_row + r for r in range(k.rows)):
                    prefetch(y, row * k.y_row_stride + at, write=True)
                    for buffer, operand in tensors:
                        prefetch(buffer, row * operand.row_stride + at)

        def finish(acc, first_row, first):
            for v in range(k.vectors):
                for begin, count in k.pieces:
                    write = _write_masked if k.masks and count < k.lanes else _write_lanes
                    turned = _transposed(acc, [(begin + min(at, count - 1)) * k.rows + v * k.lanes for at in range(k.lanes)], k.lanes)
                    for r in range(k.lanes):
                        write(k, y, tuple(operands.values()), turned, r * k.lanes, first_row + v * k.lanes + r, first + pixels[begin], count)

        outer, inner = (down * across, blocks) if k.positions_outer else (blocks, down * across)
        with outer_loop(outer, threads) as a, T.serial(0, inner) as b:
            block(*((a, b) if k.positions_outer else (b, a)))

    pointers = {"x": "float32", "value": "float32", "offset": "int32", "start": "int32", "y": "float32"}
    return kernel_function(k.name, pointers | operand_pointers(k.operands), body)


def _write_lanes(k: OffsetGemm, y, buffers: tuple, sums, at: int, row, position, count: int) -> None:
    """The `count` sums of a row from sums[at] on, through the epilogue, to y[row, position...]."""
    from tvm.tirx.script.builder import ir as T

    with T.vectorized(0, count) as i:
        loaded = load_operands(buffers, k.operands, row, position + i)
        T.buffer_store(y, evaluate(k.epilogue, [sums[at + i], *loaded]), [row * k.y_row_stride + position + i])


def _write_masked(k: OffsetGemm, y, buffers: tuple, sums, at: int, row, position, count: int) -> None:
    """The same in whole registers: what lies behind the `count` pixels is neither read nor written."""
    from tvm.tirx import Ramp
    from tvm.tirx.script.builder import ir as T

    from spcompile.kernels.script import masked_load, masked_store, registers

    full = Ramp(T.int32(0), T.int32(1), k.lanes)
    results, held = registers(k.lanes), {}
    for number, (buffer, operand) in enumerate(zip(buffers, k.operands, strict=True)):
        if operand.position_stride:
            held[number] = registers(k.lanes)
            T.buffer_store(held[number], masked_load(buffer, row * operand.row_stride + position, count, k.lanes), [full])
    with T.vectorized(0, k.lanes) as i:
        loaded = load_operands(buffers, k.operands, row, position)
        values = [held[number][i] if number in held else one for number, one in enumerate(loaded)]
        T.buffer_store(results, evaluate(k.epilogue, [sums[at + i], *values]), [i])
    masked_store(y, row * k.y_row_stride + position, results[full], count, k.lanes)


def _transposed(source, starts: list[int], lanes: int):
    """`lanes` registers of `source`, one from each start -> a buffer [lanes, lanes] with rows and columns exchanged.

    In stages of distance 1, 2, 4, ...: each pair of registers that far apart exchanges every second group of that many lanes.
    """
    from tvm.tirx import Ramp, Shuffle
    from tvm.tirx.script.builder import ir as T

    from spcompile.kernels.script import registers

    distance = 1
    while distance < lanes:
        into = registers(lanes * lanes)
        for low in (at for at in range(lanes) if not at & distance):
            pair = [source[Ramp(T.int32(starts[at]), T.int32(1), lanes)] for at in (low, low + distance)]
            for at, shift in ((low, 0), (low + distance, distance)):
                picked = [lane + shift if not lane & distance else lanes + lane - distance + shift for lane in range(lanes)]
                T.buffer_store(into, Shuffle(pair, picked), [Ramp(T.int32(at * lanes), T.int32(1), lanes)])
        source, starts, distance = into, [at * lanes for at in range(lanes)], distance * 2
    return source
