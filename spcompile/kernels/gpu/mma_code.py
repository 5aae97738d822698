"""The code of one thread of `MmaProduct`. Fragments lie in registers as PTX ISA 8.7, section 9.7.14.5.8 (mma.m16n8k16) and 9.7.14.6 (mma.sp) give them."""

from spcompile.formats.two_of_four import COLUMNS, LANES, ROWS
from spcompile.kernels.gpu.kernel import WARP, device_function
from spcompile.kernels.gpu.mma_product import DTYPES, WORDS, MmaProduct, swizzled
from spcompile.kernels.gpu.pipeline import pipelined
from spcompile.kernels.gpu.tile_output import PAD, write_tile
from spcompile.kernels.gpu.window import CHUNK

CHUNK_BYTES = 16


def emit(k: MmaProduct):
    """-> the kernel as TIR."""
    lists = ("metadata",) if k.two_of_four else ("starts", "blocks", "order") if k.block_width else ()
    pointers = {"weights": k.dtype, **dict.fromkeys(lists, "uint32"), "x": k.dtype, "y": k.dtype}
    operands = {f"operand_{index}": dtype for index, dtype in enumerate(k.operand_dtypes)}
    return device_function(k, pointers | operands, lambda *place, **buffers: _Thread(k, *place, **buffers).write())


class _Thread:
    """Writes the statements in their order; every index below is of this thread."""

    def __init__(self, k: MmaProduct, place, thread, weights, x, y, metadata=None, starts=None, blocks=None, order=None, **operands):
        from tvm.tirx.script.builder import ir as T

        self.k, self.T, self.thread, self.batch = k, T, thread, place[2]
        self.blocks, self.order = blocks, order
        self.start, self.steps = T.int32(0), T.int32(k.steps)
        if k.block_width:
            self.start = T.cast(starts[place[0]], "int32")
            self.steps = T.cast(starts[place[0] + 1], "int32") - self.start
        self.weights, self.metadata, self.x, self.y, self.operands = weights, metadata, x, y, list(operands.values())
        self.first_row, self.first_position = place[0] * k.tile.rows, place[1] * k.tile.positions
        self.lane, warp = thread % WARP, thread // WARP
        self.warp_rows, self.warp_positions = k.tile.rows // k.tile.warps[0], k.tile.positions // k.tile.warps[1]
        self.warp_row, self.warp_position = warp % k.tile.warps[0] * self.warp_rows, warp // k.tile.warps[0] * self.warp_positions
        self.fragments = self.warp_rows // ROWS, self.warp_positions // 8
        self.weight_chunks = 4 if k.two_of_four else 8
        self.weight_words = k.tile.rows * self.weight_chunks * WORDS
        self.stage_words = self.weight_words + k.tile.positions * 8 * WORDS

    def write(self) -> None:
        T = self.T
        self.shared = T.alloc_buffer((self.k.shared_words,), "uint32", scope="shared.dyn")
        self.sums = T.alloc_buffer((self.fragments[0] * self.fragments[1] * 4,), "float32", scope="local")
        self.a = T.alloc_buffer((4,), "uint32", scope="local")
        self.b = T.alloc_buffer((self.fragments[1] * 4,), "uint32", scope="local")
        for index in range(self.fragments[0] * self.fragments[1] * 4):
            T.buffer_store(self.sums, T.float32(0), [index])
        pipelined(T, self.k.tile.stages, self.steps, self.fetch, self.multiply)
        self.stage_sums()
        T.evaluate(T.cuda.cta_sync())
        row_of = (lambda row: T.cast(self.order[row], "int32")) if self.k.block_width else None
        corner = self.first_row, self.first_position
        write_tile(T, self.k, (self.k.tile.rows, self.k.tile.positions), corner, self.thread, self.shared, self.y, self.operands, self.batch, row_of)

    def fetch(self, step, stage) -> None:
        """One step's weights and inputs, 16 bytes a copy; what lies outside is filled with zeros."""
        T, base = self.T, stage * self.stage_words
        for chunks, first, rows, copy in (
            (self.weight_chunks, base, self.k.tile.rows, self.weight_chunk),
            (8, base + self.weight_words, self.k.tile.positions, self.input_chunk),
        ):
            for turn in range(rows * chunks // self.k.tile.threads):
                row, chunk = self.thread // chunks + turn * (self.k.tile.threads // chunks), self.thread % chunks
                source, buffer, numbers = copy(row, chunk, step)
                there = T.max(T.min(numbers, CHUNK), 0)
                where = T.address_of(buffer[T.if_then_else(there > 0, source, 0)])
                into = T.address_of(self.shared[first + swizzled(row, chunk, chunks)])
                T.evaluate(T.ptx["cp.async.cg.shared.global"](into, where, CHUNK_BYTES, T.cast(there * 2, "uint32")))

    def weight_chunk(self, row, chunk, step):
        """-> (element, buffer, how many numbers from there on are weights)."""
        k, T = self.k, self.T
        if k.block_width:
            return ((self.start + step) * k.tile.rows + row) * COLUMNS + chunk * CHUNK, self.weights, T.int32(CHUNK)
        row = self.first_row + row
        if k.two_of_four:
            rows, column = -(-k.rows // ROWS) * ROWS, step * (COLUMNS // 2) + chunk * CHUNK
            return row * k.weight_stride + column, self.weights, T.if_then_else(row < rows, CHUNK, 0)
        column = step * COLUMNS + chunk * CHUNK
        numbers = T.if_then_else(row < k.rows, (k.weight_columns or k.window.columns) - column, 0)
        return self.batch * k.batch_strides[0] + row * k.weight_stride + column, self.weights, numbers

    def input_chunk(self, row, chunk, step):
        k, T, position, column = self.k, self.T, self.first_position + row, step * COLUMNS + chunk * CHUNK
        if k.block_width:
            in_step = chunk * CHUNK
            block = T.cast(self.blocks[(self.start + step) * (COLUMNS // k.block_width) + in_step // k.block_width], "int32")
            column = block * k.block_width + in_step % k.block_width
        image, y, x, channel = k.window.locate(position, column)
        inside = T.And(T.And(y >= 0, y < k.window.in_size[0]), T.And(x >= 0, x < k.window.in_size[1]))
        inside = T.And(inside, T.And(position < k.positions, column < k.window.columns))
        source = self.batch * k.batch_strides[1] + k.window.element(image, y, x, channel)
        return source, self.x, T.if_then_else(inside, k.window.channels - channel, 0)

    def multiply(self, step, stage) -> None:
        """Two halves of 32 columns; a lane's metadata word serves both: selector 0 reads lanes 4 g and 4 g + 1, selector 1 the other two."""
        base = stage * self.stage_words
        for half in range(2):
            for column in range(self.fragments[1]):
                row = self.warp_position + column * 8 + self.lane % 8
                self.load(self.b, column * 4, base + self.weight_words + swizzled(row, half * 4 + self.lane // 8, 8))
            for row in range(self.fragments[0]):
                (self.multiply_sparse if self.k.two_of_four else self.multiply_dense)(step, base, half, row)

    def multiply_sparse(self, step, base, half: int, row: int) -> None:
        T, k, kind = self.T, self.k, DTYPES[self.k.dtype]
        self.load(self.a, 0, base + swizzled(self.warp_row + row * ROWS + self.lane % 16, half * 2 + self.lane // 16, 4))
        tile_row = self.first_row + self.warp_row + row * ROWS
        piece = T.if_then_else(tile_row < k.rows, tile_row // ROWS, 0)  # rows beyond the last are zeros, under any metadata
        word = self.metadata[(piece * k.steps + step) * LANES + self.lane]
        for column in range(self.fragments[1]):
            sums, b = self.sums_of(row, column), [self.b[column * 4 + part] for part in range(4)]
            T.evaluate(T.ptx[f"mma.sp::ordered_metadata.sync.aligned.m16n8k32.row.col.f32.{kind}.{kind}.f32"](*sums, *self.a_parts(), *b, *sums, word, half))

    def multiply_dense(self, step, base, half: int, row: int) -> None:
        T, kind = self.T, DTYPES[self.k.dtype]
        for quarter in range(2):
            chunk = half * 4 + quarter * 2 + self.lane // 16
            self.load(self.a, 0, base + swizzled(self.warp_row + row * ROWS + self.lane % 16, chunk, 8))
            for column in range(self.fragments[1]):
                sums, b = self.sums_of(row, column), [self.b[column * 4 + quarter * 2 + part] for part in range(2)]
                T.evaluate(T.ptx[f"mma.sync.aligned.m16n8k16.row.col.f32.{kind}.{kind}.f32"](*sums, *self.a_parts(), *b, *sums))

    def load(self, registers, first: int, word) -> None:
        """Four 8 x 8 matrices; each lane names the row of one of them."""
        T = self.T
        parts = [registers[first + part] for part in range(4)]
        T.evaluate(T.ptx["ldmatrix.sync.aligned.m8n8.x4.shared.b16"](*parts, T.address_of(self.shared[word])))

    def sums_of(self, row: int, column: int) -> list:
        return [self.sums[(row * self.fragments[1] + column) * 4 + part] for part in range(4)]

    def a_parts(self) -> list:
        return [self.a[part] for part in range(4)]

    def stage_sums(self) -> None:
        T, pitch = self.T, self.k.tile.rows + PAD
        for row in range(self.fragments[0]):
            for column in range(self.fragments[1]):
                for part, value in enumerate(self.sums_of(row, column)):
                    m = self.warp_row + row * ROWS + self.lane // 4 + part // 2 * 8
                    p = self.warp_position + column * 8 + self.lane % 4 * 2 + part % 2
                    T.buffer_store(self.shared, T.reinterpret("uint32", value), [p * pitch + m])
