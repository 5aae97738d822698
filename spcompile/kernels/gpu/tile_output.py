"""How a tile's sums, once they lie in shared memory, become results: neighbouring threads write neighbouring channels, four each where they can."""

from collections.abc import Callable

from spcompile.kernels.expression import evaluate
from spcompile.kernels.operand import Operand

PAD = 4  # fp32 numbers behind each position in shared memory: then no more than two lanes of a warp write to one bank
QUAD = 4  # channels that are loaded and written at once
AHEAD = 4  # turns whose loads are asked for together
BITS = {"float32": 32, "float16": 16, "bfloat16": 16}


def tile_words(rows: int, positions: int) -> int:
    """32-bit words of shared memory that the sums take: the one of row m and position p lies at p * (rows + PAD) + m."""
    return positions * (rows + PAD)


class TileOutput:
    """Statements of one thread that put k.epilogue of the sums where y has them.

    k: with rows, positions, threads, dtype, epilogue, operands, operand_dtypes, y_strides and aligned: y and all operands begin at a multiple of four
    elements. tile: rows and positions; corner: the first of each. batch: (which batch, which within it). row_of: tile row -> row of y, where rows were
    put in an order, neighbours of four together.
    """

    def __init__(self, T, k, tile: tuple[int, int], corner: tuple, thread, shared, y, operands: list, batch=(), row_of: Callable | None = None):
        self.T, self.k, self.tile, self.corner, self.thread = T, k, tile, corner, thread
        self.shared, self.y, self.operands, self.batch, self.row_of = shared, y, operands, batch, row_of or (lambda row: row)
        self.wide = QUAD if k.aligned and not any(n % QUAD for n in (k.rows, *k.y_strides)) else 1

    def write(self) -> None:
        T, turns = self.T, self.tile[0] * self.tile[1] // (self.wide * self.k.threads)
        ahead = next(count for count in (AHEAD, 2, 1) if turns % count == 0)
        self.loaded = [T.alloc_buffer((ahead * self.wide,), dtype, scope="local") for dtype in ("uint32", *map(self.bits, self.k.operand_dtypes))]
        with T.serial(0, turns // ahead) as round_:
            places = [self.place(round_ * ahead + turn) for turn in range(ahead)]
            for what in (self.load, self.store):
                for turn, (inside, *place) in enumerate(places):
                    with T.If(inside), T.Then():
                        what(turn * self.wide, *place)

    def place(self, turn) -> tuple:
        """-> (is it within y, word of shared memory, row and position of y)."""
        T, (rows, _), index = self.T, self.tile, turn * self.k.threads + self.thread
        m, p = index % (rows // self.wide) * self.wide, index // (rows // self.wide)
        row, position = self.row_of(self.corner[0] + m), self.corner[1] + p
        return T.And(row < self.k.rows, position < self.k.positions), p * (rows + PAD) + m, row, position

    def load(self, at: int, word, row, position) -> None:
        self.take(self.loaded[0], at, self.shared, word, "shared", 1)
        for into, buffer, where in zip(self.loaded[1:], self.operands, self.k.operands, strict=True):
            element = self.element(row * where.row_stride, where.position_stride, where.batch_stride, where.inner_stride, position=position)
            self.take(into, at, buffer, element, "global", where.row_stride, self.even(where))

    def take(self, into, at: int, buffer, element, space: str, stride: int, even: bool = True) -> None:
        """`wide` numbers `stride` apart."""
        T, bits = self.T, self.bits(str(buffer.dtype))
        if self.wide > 1 and stride == 1 and even:
            registers = [into[at + part] for part in range(self.wide)]
            T.evaluate(T.ptx[f"ld.{space}.v{self.wide}.b{bits.removeprefix('uint')}"](*registers, T.address_of(buffer[element])))
            return
        for part in range(self.wide):
            value = buffer[element + part * stride]
            T.buffer_store(into, value if str(buffer.dtype) == bits else T.reinterpret(bits, value), [at + part])

    def store(self, at: int, _, row, position) -> None:
        T, k = self.T, self.k
        dtypes = ("float32", *k.operand_dtypes)
        results = []
        for part in range(self.wide):
            values = [T.cast(T.reinterpret(dtype, loaded[at + part]), "float32") for dtype, loaded in zip(dtypes, self.loaded, strict=True)]
            results.append(T.cast(evaluate(k.epilogue, values), k.dtype))
        element = self.element(row, *k.y_strides, position=position)
        if self.wide > 1:
            T.evaluate(T.ptx[f"st.global.v{self.wide}.b16"](T.address_of(self.y[element]), *(T.reinterpret("uint16", value) for value in results)))
        else:
            T.buffer_store(self.y, results[0], [element])

    def element(self, row, *strides: int, position):
        """Strides of positions, of batches and of what is within them."""
        return row + sum((at * stride for at, stride in zip((position, *self.batch), strides, strict=False)), self.T.int32(0))

    def even(self, where: Operand) -> bool:
        """Does every quad of it begin at a multiple of four elements?"""
        return not any(stride % QUAD for stride in (where.position_stride, where.batch_stride, where.inner_stride))

    @staticmethod
    def bits(dtype: str) -> str:
        """A register's type for it."""
        return dtype if dtype.startswith("uint") else f"uint{BITS[dtype]}"
