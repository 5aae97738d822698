"""The gather-offset sparse matrix product with positions in the lanes.

    y[m, p] = epilogue( sum_j value[m, j] * x[offset[m, j] + p], m, p )

`x` is one image, channels outermost; a tap of a convolution is a constant offset. `rows` neighbouring rows share one offset
list; `vectors` registers of positions are accumulated at a time. See formats.block_rows for the lists.
"""

from dataclasses import dataclass

from spcompile.kernels.expression import Expression, evaluate, operations
from spcompile.kernels.kernel import Kernel
from spcompile.kernels.operand import Operand, load_operands, operand_pointers
from spcompile.kernels.work import Stream, Work

BYTES = 4


@dataclass(frozen=True)
class OffsetSpmm(Kernel):
    """Pointers: x, values [blocks, rows], offsets [blocks], starts [out_rows / rows + 1], y, then one per operand of the epilogue.

    The last tile is moved back so that it ends at the last position: some positions are computed twice, none beyond the end,
    therefore `positions >= vectors * lanes` and y must not overlap any operand.
    """

    out_rows: int
    positions: int
    rows: int
    vectors: int
    lanes: int
    y_row_stride: int
    blocks: int  # entries of the offset list of all row blocks together
    x_footprint: int  # elements of x that the offsets can reach
    epilogue: Expression = ("operand", 0)
    operands: tuple[Operand, ...] = ()
    shared_list: bool = False  # every row block uses the same offsets (dense); `blocks` still counts values / rows
    positions_outer: bool = True

    def __post_init__(self):
        assert self.out_rows % self.rows == 0 and self.positions >= self.vectors * self.lanes, self

    @property
    def code(self) -> tuple:
        """Everything the emitted code depends on: block counts are data."""
        dense = self.blocks if self.shared_list else None
        return (self.out_rows, self.positions, self.rows, self.vectors, self.lanes, self.y_row_stride, dense, self.epilogue, self.operands, self.positions_outer)

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
        row_blocks = self.out_rows // self.rows
        inner = self.blocks * self.tiles
        cells = self.out_rows * self.tiles * self.vectors
        tensors = sum(1 for operand in self.operands if operand.position_stride)
        values_bytes = self.blocks * (self.rows + (0 if self.shared_list else 1)) * BYTES
        x_bytes = self.x_footprint * BYTES
        reused = self.tiles if self.positions_outer else 1  # passes over the values
        x_moved = inner * self.tile * BYTES
        return Work(
            fma=inner * self.rows * self.vectors,
            arithmetic=cells * operations(self.epilogue),
            loads=inner * self.vectors + cells * tensors,
            broadcasts=inner * self.rows,
            stores=cells,
            scalar=inner * 4,
            loops=row_blocks * self.tiles,
            streams=(
                Stream(values_bytes * reused, values_bytes),
                Stream(x_moved, x_bytes / self.tiles if self.positions_outer else x_bytes),
                Stream(cells * self.lanes * BYTES * (1 + tensors), self.out_rows * self.positions * BYTES),
            ),
            units=self.tiles if self.positions_outer else row_blocks,
            macs=self.blocks * self.rows * self.positions,
        )

    def emit(self, threads: int):
        return _emit(self, threads)


def _emit(k: OffsetSpmm, threads: int):
    """Loops: tiles of positions and row blocks in the order asked, then the offset list, then rows x vectors in registers."""
    from tvm.tirx.script.builder import ir as T

    from spcompile.kernels.script import kernel_function, outer_loop, registers

    row_blocks, last = k.out_rows // k.rows, k.positions - k.tile
    per_block = k.blocks // row_blocks  # of a shared list
    extents = (k.tiles, row_blocks) if k.positions_outer else (row_blocks, k.tiles)

    def body(x, value, offset, start, y, **operands):
        def lane(register, i):
            return register * k.lanes + i

        def accumulate(acc, first_value, at, position):
            for r in range(k.rows):
                for v in range(k.vectors):
                    with T.vectorized(0, k.lanes) as i:
                        here = lane(r * k.vectors + v, i)
                        T.buffer_store(acc, acc[here] + value[first_value + r] * x[at + position + lane(v, i)], [here])

        def finish(acc, first_row, position):
            for r in range(k.rows):
                for v in range(k.vectors):
                    with T.vectorized(0, k.lanes) as i:
                        p = position + lane(v, i)
                        loaded = load_operands(operands.values(), k.operands, first_row + r, p)
                        result = evaluate(k.epilogue, [acc[lane(r * k.vectors + v, i)], *loaded])
                        T.buffer_store(y, result, [(first_row + r) * k.y_row_stride + p])

        with outer_loop(extents[0], threads) as outer, T.serial(0, extents[1]) as inner:
            tile, m = (outer, inner) if k.positions_outer else (inner, outer)
            position = T.min(tile * k.tile, last)
            acc = registers(k.rows * k.tile)
            for register in range(k.rows * k.vectors):
                with T.vectorized(0, k.lanes) as i:
                    T.buffer_store(acc, T.float32(0), [lane(register, i)])
            begin = 0 if k.shared_list else start[m]
            with T.serial(0, per_block if k.shared_list else start[m + 1] - start[m]) as j:
                first_value = (m * per_block + j if k.shared_list else begin + j) * k.rows
                accumulate(acc, first_value, offset[begin + j], position)
            finish(acc, m * k.rows, position)

    pointers = {"x": "float32", "value": "float32", "offset": "int32", "start": "int32", "y": "float32"}
    return kernel_function(k.name, pointers | operand_pointers(k.operands), body)
