"""The code of `OffsetGemm`: pixels x rows in registers, then, transposed, rows x pixels through the epilogue."""

from dataclasses import dataclass

from spcompile.kernels.cpu.offset_gemm import OffsetGemm
from spcompile.kernels.expression import evaluate
from spcompile.kernels.operand import load_operands, operand_pointers
from spcompile.kernels.script import kernel_function, masked_load, masked_store, outer_loop, prefetch, registers, run


def emit(k: OffsetGemm, threads: int):
    def body(x, value, offset, start, y, **operands):
        _Code(k, x, value, offset, y, tuple(operands.values())).loops(threads)

    pointers = {"x": "float32", "value": "float32", "offset": "int32", "start": "int32", "y": "float32"}
    return kernel_function(k.name, pointers | operand_pointers(k.operands), body)


@dataclass(frozen=True, eq=False)
class _Code:
    """The kernel with its pointers, while its statements are written."""

    k: OffsetGemm
    x: object
    value: object
    offset: object
    y: object
    operands: tuple

    def loops(self, threads: int) -> None:
        from tvm.tirx.script.builder import ir as T

        tiles, blocks = self.k.tiles[0] * self.k.tiles[1], len(self.k.row_blocks)
        outer, inner = (tiles, blocks) if self.k.positions_outer else (blocks, tiles)
        with outer_loop(outer, threads) as a, T.serial(0, inner) as b:
            self.block(*((a, b) if self.k.positions_outer else (b, a)))

    def block(self, tile, number) -> None:
        """A tile of pixels of one block of rows."""
        from tvm.tirx.script.builder import ir as T

        k = self.k
        first = self.first_pixel(tile)
        self.fetch(T.min(number * k.rows, k.out_rows - k.rows), first)
        acc = self.zeros()
        with T.serial(0, k.columns) as j:
            for pixel in k.pixels_ahead:
                prefetch(self.x, self.offset[j + k.x_ahead] + first + pixel)
            self.accumulate(acc, number * k.columns + j, self.offset[j] + first)
        self.finish(acc, T.min(number * k.rows, k.out_rows - k.rows), first)

    def first_pixel(self, tile):
        """Where the tile's lies from the image's on."""
        from tvm.tirx.script.builder import ir as T

        k, across = self.k, self.k.tiles[1]
        down = T.min(T.truncdiv(tile, across) * k.tile_height, k.height - k.tile_height) * k.pitch
        return down + T.min(T.truncmod(tile, across) * k.tile_width, k.width - k.tile_width)

    def fetch(self, first_row, first) -> None:
        """Ask for what the block's end will touch: the last pixel's line of each piece, since the tile before asked for the first one's."""
        k = self.k
        tensors = [(b, o) for b, o in zip(self.operands, k.operands, strict=True) if o.is_tensor]
        for begin, count in k.pieces:
            at = first + k.pixels[begin] + count - 1
            for row in (first_row + r for r in range(k.rows)):
                prefetch(self.y, row * k.y_row_stride + at, write=True)
                for buffer, operand in tensors:
                    prefetch(buffer, row * operand.row_stride + at)

    def zeros(self):
        """-> sums, a tile's pixels x a block's rows."""
        from tvm.tirx.script.builder import ir as T

        k = self.k
        acc = registers(len(k.pixels) * k.rows)
        for register in range(len(k.pixels) * k.vectors):
            with T.vectorized(0, k.lanes) as i:
                T.buffer_store(acc, T.float32(0), [register * k.lanes + i])
        return acc

    def accumulate(self, acc, column, at) -> None:
        """One column of the block; at: where x lies for the first pixel."""
        from tvm.tirx.script.builder import ir as T

        k = self.k
        for line in k.lines_ahead:
            prefetch(self.value, column * k.rows + line)
        for index, pixel in enumerate(k.pixels):
            for v in range(k.vectors):
                with T.vectorized(0, k.lanes) as i:
                    here = index * k.rows + v * k.lanes + i
                    T.buffer_store(acc, acc[here] + self.value[column * k.rows + v * k.lanes + i] * self.x[at + pixel], [here])

    def finish(self, acc, first_row, first) -> None:
        k = self.k
        for v in range(k.vectors):
            for begin, count in k.pieces:
                write = self.write_masked if k.masks and count < k.lanes else self.write_lanes
                turned = _transposed(acc, [(begin + min(at, count - 1)) * k.rows + v * k.lanes for at in range(k.lanes)], k.lanes)
                for r in range(k.lanes):
                    write(turned, r * k.lanes, first_row + v * k.lanes + r, first + k.pixels[begin], count)

    def write_lanes(self, sums, at: int, row, position, count: int) -> None:
        """The `count` sums of a row from sums[at] on, through the epilogue, to y[row, position...]."""
        from tvm.tirx.script.builder import ir as T

        k = self.k
        with T.vectorized(0, count) as i:
            loaded = load_operands(self.operands, k.operands, row, position + i)
            T.buffer_store(self.y, evaluate(k.epilogue, [sums[at + i], *loaded]), [row * k.y_row_stride + position + i])

    def write_masked(self, sums, at: int, row, position, count: int) -> None:
        """The same in whole registers: what lies behind the `count` pixels is neither read nor written."""
        from tvm.tirx.script.builder import ir as T

        k = self.k
        full = run(0, k.lanes)
        results, held = registers(k.lanes), {}
        for number, (buffer, operand) in enumerate(zip(self.operands, k.operands, strict=True)):
            if operand.position_stride:
                held[number] = registers(k.lanes)
                T.buffer_store(held[number], masked_load(buffer, row * operand.row_stride + position, count, k.lanes), [full])
        with T.vectorized(0, k.lanes) as i:
            loaded = load_operands(self.operands, k.operands, row, position)
            values = [held[number][i] if number in held else one for number, one in enumerate(loaded)]
            T.buffer_store(results, evaluate(k.epilogue, [sums[at + i], *values]), [i])
        masked_store(self.y, row * k.y_row_stride + position, results[full], count, k.lanes)


def _transposed(source, starts: list[int], lanes: int):
    """`lanes` registers of `source`, one from each start -> a buffer [lanes, lanes] with rows and columns exchanged.

    In stages of distance 1, 2, 4, ...: each pair of registers that far apart exchanges every second group of that many lanes.
    """
    from tvm.tirx import Shuffle
    from tvm.tirx.script.builder import ir as T

    distance = 1
    while distance < lanes:
        into = registers(lanes * lanes)
        for low in (at for at in range(lanes) if not at & distance):
            pair = [source[run(starts[at], lanes)] for at in (low, low + distance)]
            for at, shift in ((low, 0), (low + distance, distance)):
                picked = [lane + shift if not lane & distance else lanes + lane - distance + shift for lane in range(lanes)]
                T.buffer_store(into, Shuffle(pair, picked), [run(at * lanes, lanes)])
        source, starts, distance = into, [at * lanes for at in range(lanes)], distance * 2
    return source
