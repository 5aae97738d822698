"""The code of one thread of `VectorProduct`. Fragments lie in registers as PTX ISA 8.7, section 9.7.14.5.8 (mma.m16n8k16) gives them."""

from spcompile.formats.column_vectors import BANDS, LANES, REACH, ROWS, STEP_WORDS
from spcompile.kernels.gpu.kernel import WARP, device_function
from spcompile.kernels.gpu.mma_product import DTYPES
from spcompile.kernels.gpu.pipeline import pipelined
from spcompile.kernels.gpu.tile import WORDS
from spcompile.kernels.gpu.tile_output import PAD, TileOutput
from spcompile.kernels.gpu.vector_product import POSITION_WORDS, TILE_POSITIONS, TILE_ROWS, WARPS, VectorProduct, stage_words
from spcompile.kernels.gpu.window import CHUNK

CHUNK_BYTES = 16
POSITIONS = 16  # of an instruction
PIECES = TILE_POSITIONS // WARPS[1] // POSITIONS  # instructions' worth of positions that a warp has
OWN = BANDS // WARPS[0]  # bands of a warp


def emit(k: VectorProduct):
    """-> the kernel as TIR."""
    pointers = {"words": "uint32", "starts": "uint32", "x": k.dtype, "y": k.dtype}
    operands = {f"operand_{index}": dtype for index, dtype in enumerate(k.operand_dtypes)}
    return device_function(k, pointers | operands, lambda *place, **buffers: _Thread(k, *place, **buffers).write())


class _Thread:
    """Writes the statements in their order; every index below is of this thread."""

    def __init__(self, k: VectorProduct, place, thread, words, starts, x, y, **operands):
        from tvm.tirx.script.builder import ir as T

        self.k, self.T, self.thread = k, T, thread
        self.words, self.starts, self.x, self.y, self.operands = words, starts, x, y, list(operands.values())
        self.first_list = place[0] * k.reaches * BANDS
        self.first_row, self.first_position = place[0] * TILE_ROWS, place[1] * TILE_POSITIONS
        self.lane, warp = thread % WARP, thread // WARP
        self.warp_position, self.warp_band = warp % WARPS[1] * (TILE_POSITIONS // WARPS[1]), warp // WARPS[1] * OWN
        self.stage_words = stage_words(k.most_steps)

    def write(self) -> None:
        T = self.T
        self.shared = T.alloc_buffer((self.k.shared_words,), "uint32", scope="shared.dyn")
        self.sums = T.alloc_buffer((OWN * PIECES * 4,), "float32", scope="local")
        self.a = T.alloc_buffer((4,), "uint32", scope="local")
        self.begins = T.alloc_buffer((OWN + 1,), "int32", scope="local")
        for index in range(OWN * PIECES * 4):
            T.buffer_store(self.sums, T.float32(0), [index])
        pipelined(T, self.k.stages, T.int32(self.k.reaches), self.fetch, self.multiply)
        self.stage_sums()
        T.evaluate(T.cuda.cta_sync())
        corner = self.first_row, self.first_position
        TileOutput(T, self.k, (TILE_ROWS, TILE_POSITIONS), corner, self.thread, self.shared, self.y, self.operands).write()

    def start(self, reach, band):
        """The first step of a band, or of what follows the last one, within a reach."""
        return self.T.cast(self.starts[self.first_list + reach * BANDS + band], "int32")

    def fetch(self, reach, stage) -> None:
        """The inputs within reach and the steps of all bands, 16 bytes a copy; what lies outside is filled with zeros."""
        T, k, base = self.T, self.k, stage * self.stage_words
        chunks = TILE_POSITIONS // CHUNK
        for turn in range(REACH * chunks // k.threads):
            row, chunk = self.thread // chunks + turn * (k.threads // chunks), self.thread % chunks
            column, position = reach * REACH + row, self.first_position + chunk * CHUNK
            there = T.max(T.min(T.if_then_else(column < k.columns, k.positions - position, 0), CHUNK), 0)
            source = T.address_of(self.x[T.if_then_else(there > 0, column * k.x_stride + position, 0)])
            self.copy(base + placed(row, chunk), source, there * 2)
        first, words = self.start(reach, 0), (self.start(reach, BANDS) - self.start(reach, 0)) * STEP_WORDS
        with T.serial(0, (words // WORDS + (k.threads - 1)) // k.threads) as turn:
            word = (turn * k.threads + self.thread) * WORDS
            with T.If(word < words), T.Then():
                self.copy(base + REACH * POSITION_WORDS + word, T.address_of(self.words[first * STEP_WORDS + word]), CHUNK_BYTES)

    def copy(self, word, source, there) -> None:
        T = self.T
        into = T.address_of(self.shared[word])
        T.evaluate(T.ptx["cp.async.cg.shared.global"](into, source, CHUNK_BYTES, T.cast(there, "uint32")))

    def multiply(self, reach, stage) -> None:
        T, first, base = self.T, self.start(reach, 0), stage * self.stage_words
        for band in range(OWN + 1):  # asked for together, so that they are waited for once
            T.buffer_store(self.begins, self.start(reach, self.warp_band + band) - first, [band])
        for band in range(OWN):
            with T.serial(0, self.begins[band + 1] - self.begins[band]) as turn:
                step = self.begins[band] + turn
                self.multiply_step(band, base, base + REACH * POSITION_WORDS + step * STEP_WORDS)

    def multiply_step(self, band: int, base, step) -> None:
        """Lanes 8 i to 8 i + 7 name the columns of matrix i: of slots 0-7 for i = 0 and 1, of 8-15 for 2 and 3; odd ones are positions 8-15."""
        T, kind, lane = self.T, DTYPES[self.k.dtype], self.lane
        b = [self.shared[step + register * LANES + lane] for register in range(2)]
        row = T.cast(self.shared[step + 2 * LANES + lane // 16 * 8 + lane % 8], "int32")
        for piece in range(PIECES):
            chunk = (self.warp_position + piece * POSITIONS) // CHUNK + lane // 8 % 2
            a = [self.a[part] for part in range(4)]
            T.evaluate(T.ptx["ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16"](*a, T.address_of(self.shared[base + placed(row, chunk)])))
            sums = self.sums_of(band, piece)
            T.evaluate(T.ptx[f"mma.sync.aligned.m16n8k16.row.col.f32.{kind}.{kind}.f32"](*sums, *a, *b, *sums))

    def sums_of(self, band: int, piece: int) -> list:
        return [self.sums[(band * PIECES + piece) * 4 + part] for part in range(4)]

    def stage_sums(self) -> None:
        T, pitch = self.T, TILE_ROWS + PAD
        for band in range(OWN):
            for piece in range(PIECES):
                for part, value in enumerate(self.sums_of(band, piece)):
                    m = (self.warp_band + band) * ROWS + self.lane % 4 * 2 + part % 2
                    p = self.warp_position + piece * POSITIONS + self.lane // 4 + part // 2 * 8
                    T.buffer_store(self.shared, T.reinterpret("uint32", value), [p * pitch + m])


def placed(row, chunk):
    """Word where a chunk of eight positions of a column lies: eight columns that differ in their last three bits meet all banks."""
    return row * POSITION_WORDS + (chunk ^ row % 8) * WORDS
