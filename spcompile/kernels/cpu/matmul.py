"""Product of two activations, as in attention.

    y[b, m, n] = epilogue( sum_k a[b, m, k] * x[b, k, n], m, n )

n is contiguous in x and y; a is read as scalars, so its strides are free.
"""

from dataclasses import dataclass

from spcompile.kernels.cpu.reach import BYTES, LINE
from spcompile.kernels.expression import ACCUMULATOR, Expression, evaluate, operations
from spcompile.kernels.kernel import Kernel
from spcompile.kernels.operand import Operand, load_operands, operand_pointers
from spcompile.kernels.work import Stream, Work


@dataclass(frozen=True)
class Matmul(Kernel):
    """Pointers: a, x, y, then one per operand. Strides in elements: a (batch, m, k), x (batch, k), y (batch, m)."""

    batch: int
    m: int
    n: int
    k: int
    a_strides: tuple[int, int, int]
    x_strides: tuple[int, int]
    y_strides: tuple[int, int]
    rows: int
    vectors: int
    lanes: int
    epilogue: Expression = ACCUMULATOR
    operands: tuple[Operand, ...] = ()

    def __post_init__(self):
        assert self.m % self.rows == 0 and self.n >= self.vectors * self.lanes, self

    @property
    def code(self) -> tuple:
        shape = (self.batch, self.m, self.n, self.k, self.a_strides, self.x_strides, self.y_strides)
        return (shape, self.rows, self.vectors, self.lanes, self.epilogue, self.operands)

    @property
    def title(self) -> str:
        return f"f32_matmul_{self.rows}x{self.vectors}x{self.lanes}_{self.batch}x{self.m}x{self.k}x{self.n}"

    def work(self) -> Work:
        tiles = -(-self.n // (self.vectors * self.lanes))
        inner = self.batch * (self.m // self.rows) * tiles * self.k
        cells = self.batch * self.m * tiles * self.vectors
        x_bytes = self.batch * self.k * self.n * BYTES
        return Work(
            lanes=self.lanes,
            fma=inner * self.rows * self.vectors,
            arithmetic=cells * operations(self.epilogue),
            loads=inner * self.vectors,
            broadcasts=inner * self.rows,
            stores=cells,
            scalar=inner * 3,
            used_once=inner * self.vectors if self.rows == 1 else 0,
            crossing=inner * self.vectors * (self.lanes - 1) / LINE if self.x_strides[1] % LINE else 0,
            steps=inner,
            loops=self.batch * (self.m // self.rows) * tiles,
            streams=(
                Stream(inner * self.vectors * self.lanes * BYTES, x_bytes / self.batch),
                Stream(self.batch * self.m * self.k * BYTES, self.batch * self.m * self.k * BYTES),
                Stream(self.batch * self.m * self.n * BYTES, self.batch * self.m * self.n * BYTES),
            ),
            units=self.batch * (self.m // self.rows),
            macs=self.batch * self.m * self.n * self.k,
        )

    def emit(self, threads: int):
        return _emit(self, threads)


def _emit(k: Matmul, threads: int):
    from tvm.tirx.script.builder import ir as T

    from spcompile.kernels.script import kernel_function, outer_loop, registers

    tile, row_blocks = k.vectors * k.lanes, k.m // k.rows

    def body(a, x, y, **operands):
        with outer_loop(k.batch * row_blocks, threads) as unit, T.serial(0, -(-k.n // tile)) as t:
            b, first = T.truncdiv(unit, row_blocks), T.truncmod(unit, row_blocks) * k.rows
            column = T.min(t * tile, k.n - tile)
            acc = registers(k.rows * tile)
            for register in range(k.rows * k.vectors):
                with T.vectorized(0, k.lanes) as i:
                    T.buffer_store(acc, T.float32(0), [register * k.lanes + i])
            with T.serial(0, k.k) as j:
                for r in range(k.rows):
                    for v in range(k.vectors):
                        with T.vectorized(0, k.lanes) as i:
                            here = (r * k.vectors + v) * k.lanes + i
                            scalar = a[b * k.a_strides[0] + (first + r) * k.a_strides[1] + j * k.a_strides[2]]
                            lane = x[b * k.x_strides[0] + j * k.x_strides[1] + column + v * k.lanes + i]
                            T.buffer_store(acc, acc[here] + scalar * lane, [here])
            for r in range(k.rows):
                for v in range(k.vectors):
                    with T.vectorized(0, k.lanes) as i:
                        n = column + v * k.lanes + i
                        loaded = load_operands(operands.values(), k.operands, first + r, n, b)
                        result = evaluate(k.epilogue, [acc[(r * k.vectors + v) * k.lanes + i], *loaded])
                        T.buffer_store(y, result, [b * k.y_strides[0] + (first + r) * k.y_strides[1] + n])

    return kernel_function(k.name, {"a": "float32", "x": "float32", "y": "float32"} | operand_pointers(k.operands), body)
