"""The code of one thread of `MmaProduct`: all but the multiplying, which belongs to the instruction."""

from abc import ABC, abstractmethod

from spcompile.formats.two_of_four import LANES, ROWS
from spcompile.kernels.gpu.kernel import WARP, device_function
from spcompile.kernels.gpu.mma_product import MmaProduct
from spcompile.kernels.gpu.pipeline import pipelined
from spcompile.kernels.gpu.product_copies import ProductCopies
from spcompile.kernels.gpu.tile_output import PAD, TileOutput


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

        self.k, self.T, self.thread, self.order = k, T, thread, order
        start, kept, self.steps = None, None, T.int32(k.steps)
        if k.block_width:
            start = T.cast(starts[place[0]], "int32")
            kept = T.cast(starts[place[0] + 1], "int32") - start
            self.steps = T.max(kept, 1) if k.tile.warpgroups else kept  # a path around its loop makes wgmma run one at a time
        self.copies = ProductCopies(T, k, place, thread, weights, x, metadata, blocks, start, kept)
        self.y, self.operands = y, list(operands.values())
        self.lane, warp = thread % WARP, thread // WARP
        self.warp_rows, self.warp_positions = k.tile.rows // k.tile.warps[0], k.tile.positions // k.tile.warps[1]
        self.warp_row, self.warp_position = warp % k.tile.warps[0] * self.warp_rows, warp // k.tile.warps[0] * self.warp_positions
        self.fragments = self.warp_rows // ROWS, self.warp_positions // 8

    def write(self) -> None:
        T, k = self.T, self.k
        self.shared = T.alloc_buffer((k.shared_words,), "uint32", scope="shared.dyn")
        self.copies.into(self.shared, self.first_word())
        self.sums = T.alloc_buffer((self.fragments[0] * self.fragments[1] * 4,), "float32", scope="local")
        for index in range(self.fragments[0] * self.fragments[1] * 4):
            T.buffer_store(self.sums, T.float32(0), [index])
        if k.two_of_four:
            self.places = T.alloc_buffer((self.fragments[0],), "uint32", scope="local")
        self.prepare()
        pipelined(T, k.tile.stages, self.steps, self.copies.fetch, self.step, k.tile.running)
        self.finish()
        self.stage_sums()
        T.evaluate(T.cuda.cta_sync())
        row_of = (lambda row: T.cast(self.order[row], "int32")) if k.block_width else None
        corner, batch = (self.copies.first_row, self.copies.first_position), self.copies.batch
        TileOutput(T, k, (k.tile.rows, k.tile.positions), corner, self.thread, self.shared, self.y, self.operands, batch, row_of).write()

    def first_word(self):
        """Word of shared memory where the buffers begin."""
        return self.T.int32(0)

    def prepare(self) -> None:  # noqa: B027 - nothing to do for most
        """Before the first step."""

    @abstractmethod
    def multiply(self, weights, inputs) -> None:
        """A step's 64 columns, which begin at these words of shared memory."""

    def finish(self) -> None:  # noqa: B027 - nothing to do for most
        """After the last step, when nothing runs any more."""

    def step(self, step, stage) -> None:
        base = self.copies.first(stage)
        inputs = base + self.copies.weight_words
        if self.k.two_of_four:
            self.load_places(inputs + self.copies.input_words)
        self.multiply(base, inputs)

    def load_places(self, base) -> None:
        """Metadata: a lane's word serves both halves of a step; selector 0 reads lanes 4 g and 4 g + 1, selector 1 the other two."""
        for row in range(self.fragments[0]):
            self.T.buffer_store(self.places, self.shared[base + (self.warp_row // ROWS + row) * LANES + self.lane], [row])

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
