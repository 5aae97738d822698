"""Where the copies of one step of `MmaProduct` come from, and where in shared memory they go: of one thread."""

from collections.abc import Callable

from spcompile.formats.two_of_four import COLUMNS, LANES, ROWS
from spcompile.kernels.gpu.mma_product import MmaProduct
from spcompile.kernels.gpu.tile import WORDS, swizzled
from spcompile.kernels.gpu.window import CHUNK

CHUNK_BYTES = 16


class ProductCopies:
    """place: of the thread block. start: the first step of the tile's blocks of columns; kept_steps: how many it has."""

    def __init__(self, T, k: MmaProduct, place: tuple, thread, weights, x, metadata=None, blocks=None, start=None, kept_steps=None):
        self.T, self.k, self.thread, self.batch = T, k, thread, (place[2] // k.inner, place[2] % k.inner)
        self.first_row, self.first_position = place[0] * k.tile.rows, place[1] * k.tile.positions
        self.weights, self.x, self.metadata = weights, x, metadata
        self.blocks, self.start, self.kept_steps = blocks, start, kept_steps
        self.weight_chunks = 4 if k.two_of_four else 8
        self.weight_words, self.input_words = k.tile.weight_words(k.two_of_four), k.tile.input_words
        self.stage_words = k.tile.stage_words(k.two_of_four)

    def into(self, shared, base) -> None:
        """Before the first copy: buffers begin at word `base` of shared memory."""
        self.shared, self.base = shared, base
        if self.k.block_width:
            self.column = self.T.alloc_buffer((1,), "int32", scope="local")

    def first(self, stage):
        """Word where a buffer begins: weights, then inputs, then metadata."""
        return self.base + stage * self.stage_words

    def fetch(self, step, stage) -> None:
        """One step's weights, inputs and metadata, 16 bytes a copy; what lies outside is filled with zeros."""
        base = self.first(stage)
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
