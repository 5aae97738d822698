"""The code of one thread of `MmaProduct`: all but the multiplying, which belongs to the instruction."""

from abc import ABC, abstractmethod
from collections.abc import Callable

from spcompile.formats.two_of_four import COLUMNS, LANES, ROWS
from spcompile.kernels.gpu.kernel import WARP, device_function
from spcompile.kernels.gpu.mma_product import MmaProduct
from spcompile.kernels.gpu.pipeline import pipelined
from spcompile.kernels.gpu.tile import PATTERN_WORDS, WORDS, swizzled
from spcompile.kernels.gpu.tile_output import PAD, TileOutput
from spcompile.kernels.gpu.window import CHUNK

CHUNK_BYTES = 16


def emit(k: MmaProduct, kind: type["ProductThread"]):
    """-> the kernel as TIR, multiplied as `kind` does."""
    lists = ("metadata",) if k.two_of_four else ("starts", "blocks", "order") if k.block_width else ()
    pointers = {"weights": k.dtype, **dict.fromkeys(lists, "uint32"), "x": k.dtype, "y": k.dtype}
    operands = {f"operand_{index}": dtype for index, dtype in enumerate(k.operand_dtypes)}
    return device_function(k, pointers | operands, lambda *place, **buffers: kind(k, *place, **buffers).write())


class ProductThread(ABC):
    """Writes the statements in their order; every index below is of this thread.

    Sums lie as mma.m16n8k16 and wgmma leave them alike: of each 16 x 8 fragment a lane has rows lane / 4 and that + 8, columns 2 (lane % 4) and that + 1.
    """

    def __init__(self, k: MmaProduct, place, thread, weights, x, y, metadata=None, starts=None, blocks=None, order=None, **operands):
        from tvm.tirx.script.builder import ir as T

        self.k, self.T, self.thread, self.batch = k, T, thread, (place[2] // k.inner, place[2] % k.inner)
        self.blocks, self.order = blocks, order
        self.start, self.steps = T.int32(0), T.int32(k.steps)
        if k.block_width:
            self.start = T.cast(starts[place[0]], "int32")
            self.kept_steps = T.cast(starts[place[0] + 1], "int32") - self.start
            self.steps = T.max(self.kept_steps, 1) if k.tile.warpgroups else self.kept_steps  # a path around its loop makes wgmma run one at a time
        self.weights, self.metadata, self.x, self.y, self.operands = weights, metadata, x, y, list(operands.values())
        self.first_row, self.first_position = place[0] * k.tile.rows, place[1] * k.tile.positions
        self.lane, warp = thread % WARP, thread // WARP
        self.warp_rows, self.warp_positions = k.tile.rows // k.tile.warps[0], k.tile.positions // k.tile.warps[1]
        self.warp_row, self.warp_position = warp % k.tile.warps[0] * self.warp_rows, warp // k.tile.warps[0] * self.warp_positions
        self.fragments = self.warp_rows // ROWS, self.warp_positions // 8
        self.weight_chunks = 4 if k.two_of_four else 8
        self.weight_words, self.input_words = k.tile.rows * self.weight_chunks * WORDS, k.tile.positions * 8 * WORDS
        self.stage_words = k.tile.stage_words(k.two_of_four)

    def write(self) -> None:
        T, k = self.T, self.k
        self.shared = T.alloc_buffer((k.shared_words,), "uint32", scope="shared.dyn")
        self.base = self.first_word()
        self.sums = T.alloc_buffer((self.fragments[0] * self.fragments[1] * 4,), "float32", scope="local")
        for index in range(self.fragments[0] * self.fragments[1] * 4):
            T.buffer_store(self.sums, T.float32(0), [index])
        if k.block_width:
            self.column = T.alloc_buffer((1,), "int32", scope="local")
        if k.two_of_four:
            self.places = T.alloc_buffer((self.fragments[0],), "uint32", scope="local")
        self.prepare()
        pipelined(T, k.tile.stages, self.steps, self.fetch, self.step, k.tile.running)
        self.finish()
        self.stage_sums()
        T.evaluate(T.cuda.cta_sync())
        row_of = (lambda row: T.cast(self.order[row], "int32")) if k.block_width else None
        corner = self.first_row, self.first_position
        TileOutput(T, k, (k.tile.rows, k.tile.positions), corner, self.thread, self.shared, self.y, self.operands, self.batch, row_of).write()

    def first_word(self):
        """Of the buffers, where swizzles are the instruction's own: an even start is not promised to us."""
        T = self.T
        if not self.k.tile.warpgroups:
            return T.int32(0)
        word = T.cast(T.cuda.cvta_generic_to_shared(T.address_of(self.shared[0])), "int32") // 4
        return (PATTERN_WORDS - word % PATTERN_WORDS) % PATTERN_WORDS

    def prepare(self) -> None:  # noqa: B027 - nothing to do for most
        """Before the first step."""

    @abstractmethod
    def multiply(self, base) -> None:
        """A step's 64 columns, whose weights begin at word `base` of shared memory and whose inputs follow."""

    def finish(self) -> None:  # noqa: B027 - nothing to do for most
        """After the last step, when nothing runs any more."""

    def step(self, step, stage) -> None:
        base = self.base + stage * self.stage_words
        if self.k.two_of_four:
            self.load_places(base + self.weight_words + self.input_words)
        self.multiply(base)

    def load_places(self, base) -> None:
        """Metadata: a lane's word serves both halves of a step; selector 0 reads lanes 4 g and 4 g + 1, selector 1 the other two."""
        for row in range(self.fragments[0]):
            self.T.buffer_store(self.places, self.shared[base + (self.warp_row // ROWS + row) * LANES + self.lane], [row])

    def fetch(self, step, stage) -> None:
        """One step's weights, inputs and metadata, 16 bytes a copy; what lies outside is filled with zeros."""
        base = self.base + stage * self.stage_words
        if self.k.block_width:
            self.find_column(step)
        self.copy(self.k.tile.rows, self.weight_chunks, step, self.weight_chunk, lambda *at: base + swizzled(*at, self.weight_chunks))
        self.copy(self.k.tile.positions, 8, step, self.input_chunk, lambda *at: base + self.weight_words + swizzled(*at, 8))
        if self.k.two_of_four:
            first = base + self.weight_words + self.input_words
            self.copy(self.k.tile.rows // ROWS, LANES // WORDS, step, self.metadata_chunk, lambda row, chunk: first + row * LANES + chunk * WORDS)

    def copy(self, rows: int, chunks: int, step, source_of: Callable, word_of: Callable) -> None:
        """rows x chunks of 16 bytes; source_of(row, chunk, step) -> (element, buffer, how many elements from there on are to be had)."""
        T, threads = self.T, self.k.tile.threads
        for turn in range(-(-rows * chunks // threads)):
            row, chunk = self.thread // chunks + turn * (threads // chunks), self.thread % chunks
            source, buffer, there = source_of(row, chunk, step)
            size = CHUNK_BYTES // (4 if buffer is self.metadata else 2)
            there = T.max(T.min(there, size), 0)
            where, into = T.address_of(buffer[T.if_then_else(there > 0, source, 0)]), T.address_of(self.shared[word_of(row, chunk)])
            with T.If(row < rows), T.Then():
                T.evaluate(T.ptx["cp.async.cg.shared.global"](into, where, CHUNK_BYTES, T.cast(there * (CHUNK_BYTES // size), "uint32")))

    def weight_chunk(self, row, chunk, step):
        k, T = self.k, self.T
        if k.block_width:
            return ((self.start + step) * k.tile.rows + row) * COLUMNS + chunk * CHUNK, self.weights, T.if_then_else(step < self.kept_steps, CHUNK, 0)
        row = self.first_row + row
        if k.two_of_four:
            rows, column = -(-k.rows // ROWS) * ROWS, step * (COLUMNS // 2) + chunk * CHUNK
            return row * k.weight_stride + column, self.weights, T.if_then_else(row < rows, CHUNK, 0)
        column = step * COLUMNS + chunk * CHUNK
        numbers = T.if_then_else(row < k.rows, (k.weight_columns or k.window.columns) - column, 0)
        return self.batch_element(0) + row * k.weight_stride + column, self.weights, numbers

    def input_chunk(self, row, chunk, step):
        k, T, position = self.k, self.T, self.first_position + row
        column = self.column[0] if k.block_width else step * COLUMNS + chunk * CHUNK
        image, y, x, channel = k.window.locate(position, column)
        inside = T.And(T.And(y >= 0, y < k.window.in_size[0]), T.And(x >= 0, x < k.window.in_size[1]))
        inside = T.And(inside, T.And(position < k.positions, column < k.window.columns))
        source = self.batch_element(1) + k.window.element(image, y, x, channel)
        return source, self.x, T.if_then_else(inside, k.window.channels - channel, 0)

    def batch_element(self, side: int):
        """Where this product's weights (0) or inputs (1) begin."""
        outer, inner = self.batch
        return outer * self.k.batch_strides[side] + inner * self.k.inner_strides[side]

    def find_column(self, step) -> None:
        """Of the chunk of inputs that this thread copies; beyond the last where the tile keeps no block."""
        T, width, in_step = self.T, self.k.block_width, self.thread % 8 * CHUNK
        T.buffer_store(self.column, T.int32(self.k.window.columns), [0])
        with T.If(step < self.kept_steps), T.Then():
            block = T.cast(self.blocks[(self.start + step) * (COLUMNS // width) + in_step // width], "int32")
            T.buffer_store(self.column, block * width + in_step % width, [0])

    def metadata_chunk(self, row, chunk, step):
        """Rows beyond the last are zeros under any metadata but zeros, which are not allowed."""
        k, T, piece = self.k, self.T, self.first_row // ROWS + row
        piece = T.if_then_else(piece * ROWS < k.rows, piece, 0)
        return (piece * k.steps + step) * LANES + chunk * WORDS, self.metadata, T.int32(WORDS)

    def sums_of(self, row: int, column: int) -> list:
        return [self.sums[(row * self.fragments[1] + column) * 4 + part] for part in range(4)]

    def stage_sums(self) -> None:
        T, pitch = self.T, self.k.tile.rows + PAD
        for row in range(self.fragments[0]):
            for column in range(self.fragments[1]):
                for part, value in enumerate(self.sums_of(row, column)):
                    m = self.warp_row + row * ROWS + self.lane // 4 + part // 2 * 8
                    p = self.warp_position + column * 8 + self.lane % 4 * 2 + part % 2
                    T.buffer_store(self.shared, T.reinterpret("uint32", value), [p * pitch + m])
