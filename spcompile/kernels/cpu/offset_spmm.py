"""The gather-offset sparse matrix product with positions in the lanes.

    y[m, p] = epilogue( sum_j value[m, j] * x[offset[m, j] + p], m, p )

`x` is one image, channels outermost; a tap of a convolution is a constant offset. `rows` neighbouring rows share one offset
list; `vectors` registers of positions are accumulated at a time. See formats.block_rows for the lists.
"""

from dataclasses import dataclass

from spcompile.kernels.cpu.reach import LINE, Reach
from spcompile.kernels.expression import Expression, evaluate, operations
from spcompile.kernels.kernel import Kernel
from spcompile.kernels.operand import Operand, load_operands, operand_pointers
from spcompile.kernels.work import Stream, Work

BYTES = 4
LATENCY = 4  # cycles, and so independent multiply-adds, that keep one pipe busy on the cores we know


@dataclass(frozen=True)
class OffsetSpmm(Kernel):
    """Pointers: x, values [blocks, rows], offsets [blocks], starts [depths * out_rows / rows + 1], y, then one per operand of the epilogue;
    with `scattered`, last, the row of y [out_rows] that each row computed is: so that empty rows can be gathered in blocks of their own.

    The last tile is moved back so that it ends at the last position: some positions are computed twice, none beyond the end,
    therefore `positions >= vectors * lanes` and y must not overlap any operand.
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

    def __post_init__(self):
        assert self.out_rows % self.rows == 0 and self.positions >= self.tile, self
        assert self.depths == 1 or (self.positions_outer and not self.shared_list), self

    @property
    def chains(self) -> int:
        """Independent sums per register, so that few registers still hide the latency of a multiply-add."""
        return -(-LATENCY // (self.rows * self.vectors))

    @property
    def code(self) -> tuple:
        """Everything the emitted code depends on: block counts are data."""
        dense = self.blocks if self.shared_list else None
        tile = (self.rows, self.vectors, self.lanes, self.positions_outer, self.depths, self.scattered)
        return (self.out_rows, self.positions, tile, self.y_row_stride, dense, self.epilogue, self.operands)

    @property
    def title(self) -> str:
        pattern = "dense" if self.shared_list else f"block{self.rows}x1"
        return f"f32_spmm_{pattern}_{self.rows}x{self.vectors}x{self.lanes}_m{self.out_rows}_p{self.positions}"

    @property
    def tile(self) -> int:
        return self.vectors * self.lanes

    @property
    def tiles(self) -> int:
        return -(-self.positions // self.tile)

    def work(self) -> Work:
        rounds = self.blocks * self.tiles
        cells = self.out_rows * self.tiles * self.vectors
        tensors = sum(1 for operand in self.operands if operand.position_stride)
        waiting = cells * (self.depths - 1)  # sums kept for the next range of columns
        once = self.vectors if self.rows == 1 else self.rows if self.vectors == 1 else 0
        return Work(
            lanes=self.lanes,
            fma=rounds * self.rows * self.vectors,
            arithmetic=cells * operations(self.epilogue),
            loads=rounds * self.vectors + cells * tensors + waiting,
            broadcasts=rounds * self.rows,
            stores=cells + waiting,
            scalar_loads=rounds,
            scalar=rounds * (3 if self.rows == 1 else 7),
            used_once=rounds * once,
            crossing=0 if self.reach.aligned else rounds * self.vectors * (self.lanes - 1) / LINE,
            steps=rounds / self.chains,
            loops=self.out_rows // self.rows * self.tiles * self.depths,
            streams=self._streams(rounds, tensors, waiting),
            units=self.tiles if self.positions_outer else self.out_rows // self.rows,
            macs=self.blocks * self.rows * self.positions,
        )

    def _streams(self, rounds: int, tensors: int, waiting: int) -> tuple[Stream, ...]:
        """x is read anew in every round, and for a first time from where it lies; tiles outside pass over the values once a tile."""
        reach, row_blocks = self.reach, self.out_rows // self.rows
        read = rounds * (self.tile + (0 if reach.aligned else LINE - 1)) * BYTES
        x_bytes, y_bytes = self.x_footprint * BYTES, self.out_rows * self.y_row_stride * BYTES
        values = self.blocks * (self.rows + (0 if self.shared_list else 1)) * BYTES
        if self.positions_outer:
            tile = reach.planes * reach.run(self.tile) * BYTES / self.depths
            first = min(read, x_bytes * (1 if reach.aligned else min(reach.rows, 1 + LINE / self.tile)))
            again = (Stream(read - first, tile), Stream(values * (self.tiles - 1), values + tile))
        else:
            planes = reach.touched(self.blocks / row_blocks)
            first = min(read, row_blocks * planes * self.positions * BYTES)
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
        return _emit(self, threads)


def _emit(k: OffsetSpmm, threads: int):
    """Loops: tiles of positions and row blocks in the order asked, then the offset list, then rows x vectors in registers."""
    from tvm.tirx.script.builder import ir as T

    from spcompile.kernels.script import kernel_function, outer_loop, registers

    row_blocks, last = k.out_rows // k.rows, k.positions - k.tile
    per_block = k.blocks // row_blocks  # of a shared list

    def body(x, value, offset, start, y, row_of=None, **operands):
        def y_row(row):
            return row_of[row] if k.scattered else row

        def lane(register, i):
            return register * k.lanes + i

        def accumulate(acc, chain, first_value, at, position):
            for r in range(k.rows):
                for v in range(k.vectors):
                    with T.vectorized(0, k.lanes) as i:
                        here = lane((chain * k.rows + r) * k.vectors + v, i)
                        T.buffer_store(acc, acc[here] + value[first_value + r] * x[at + position + lane(v, i)], [here])

        def finish(acc, first_row, position):
            for r in range(k.rows):
                for v in range(k.vectors):
                    with T.vectorized(0, k.lanes) as i:
                        p = position + lane(v, i)
                        loaded = load_operands(operands.values(), k.operands, y_row(first_row + r), p)
                        result = evaluate(k.epilogue, [acc[lane(r * k.vectors + v, i)], *loaded])
                        T.buffer_store(y, result, [y_row(first_row + r) * k.y_row_stride + p])

        def keep(acc, first_row, position):
            """Sums that wait for the next range of columns."""
            for register, at in waiting(first_row, position):
                with T.vectorized(0, k.lanes) as i:
                    T.buffer_store(y, acc[lane(register, i)], [at + i])

        def begin_sums(acc, depth, first_row, position):
            for register in range(k.chains * k.rows * k.vectors):
                with T.vectorized(0, k.lanes) as i:
                    T.buffer_store(acc, T.float32(0), [lane(register, i)])
            if k.depths > 1:
                for register, at in waiting(first_row, position):
                    with T.vectorized(0, k.lanes) as i:
                        T.buffer_store(acc, T.Select(depth > 0, y[at + i], T.float32(0)), [lane(register, i)])

        def waiting(first_row, position):
            return [(r * k.vectors + v, y_row(first_row + r) * k.y_row_stride + position + v * k.lanes) for r in range(k.rows) for v in range(k.vectors)]

        def sum_up(acc, m, list_number, position):
            first = 0 if k.shared_list else start[list_number]
            count = per_block if k.shared_list else start[list_number + 1] - start[list_number]
            values = (m * per_block if k.shared_list else first) * k.rows
            if k.chains == 1:
                with T.serial(0, count) as j:
                    accumulate(acc, 0, values + j * k.rows, offset[first + j], position)
                return
            with T.serial(0, T.truncdiv(count, k.chains)) as group:
                for chain in range(k.chains):
                    j = group * k.chains + chain
                    accumulate(acc, chain, values + j * k.rows, offset[first + j], position)
            with T.serial(0, T.truncmod(count, k.chains)) as rest:
                j = T.truncdiv(count, k.chains) * k.chains + rest
                accumulate(acc, 0, values + j * k.rows, offset[first + j], position)
            for register in range(k.rows * k.vectors):
                with T.vectorized(0, k.lanes) as i:
                    total = acc[lane(register, i)]
                    for chain in range(1, k.chains):
                        total = total + acc[lane(chain * k.rows * k.vectors + register, i)]
                    T.buffer_store(acc, total, [lane(register, i)])

        def block(tile, depth, m):
            position = T.min(tile * k.tile, last)
            acc = registers(k.chains * k.rows * k.tile)
            begin_sums(acc, depth, m * k.rows, position)
            sum_up(acc, m, depth * row_blocks + m, position)
            if k.depths == 1:
                finish(acc, m * k.rows, position)
                return
            with T.If(depth == k.depths - 1):
                with T.Then():
                    finish(acc, m * k.rows, position)
                with T.Else():
                    keep(acc, m * k.rows, position)

        if k.positions_outer:
            with outer_loop(k.tiles, threads) as tile, T.serial(0, k.depths) as depth, T.serial(0, row_blocks) as m:
                block(tile, depth if k.depths > 1 else 0, m)
        else:
            with outer_loop(row_blocks, threads) as m, T.serial(0, k.tiles) as tile:
                block(tile, 0, m)

    pointers = {"x": "float32", "value": "float32", "offset": "int32", "start": "int32", "y": "float32"}
    scatter = {"row_of": "int32"} if k.scattered else {}
    return kernel_function(k.name, pointers | operand_pointers(k.operands) | scatter, body)
