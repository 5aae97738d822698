"""A kernel with an inner loop and nothing else, counted by hand."""

from dataclasses import dataclass

import pytest

from spcompile.kernels.kernel import Kernel
from spcompile.kernels.work import Work

ROUNDS = 300


@dataclass(frozen=True)
class Product(Kernel):
    """y[r, v] = sum over j of value[j, r] * x[offset[j] + v], `rows` x `vectors` registers of sums. Pointers: x, value, offset, y."""

    rows: int
    vectors: int
    lanes: int

    @property
    def code(self) -> tuple:
        return (self.rows, self.vectors, self.lanes)

    @property
    def title(self) -> str:
        return f"test_product_{self.rows}x{self.vectors}x{self.lanes}"

    def work(self) -> Work:
        return Work(
            lanes=self.lanes,
            fma=ROUNDS * self.rows * self.vectors,
            loads=ROUNDS * self.vectors,
            broadcasts=ROUNDS * self.rows,
            scalar_loads=ROUNDS,
            scalar=ROUNDS * (3 if self.rows == 1 else 7),
            used_once=ROUNDS * (self.vectors if self.rows == 1 else self.rows if self.vectors == 1 else 0),
            steps=ROUNDS,
            loops=1,
        )

    def emit(self, threads: int):
        from tvm.tirx.script.builder import ir as T

        from spcompile.kernels.script import kernel_function, registers

        def body(x, value, offset, y):
            sums = registers(self.rows * self.vectors * self.lanes)
            places = [(r, v, (r * self.vectors + v) * self.lanes) for r in range(self.rows) for v in range(self.vectors)]
            for _, _, here in places:
                with T.vectorized(0, self.lanes) as i:
                    T.buffer_store(sums, T.float32(0), [here + i])
            with T.serial(0, ROUNDS) as j:
                for r, v, here in places:
                    with T.vectorized(0, self.lanes) as i:
                        T.buffer_store(sums, sums[here + i] + value[j * self.rows + r] * x[offset[j] + v * self.lanes + i], [here + i])
            for _, _, here in places:
                with T.vectorized(0, self.lanes) as i:
                    T.buffer_store(y, sums[here + i], [here + i])

        return kernel_function(self.name, {"x": "float32", "value": "float32", "offset": "int32", "y": "float32"}, body)


@pytest.fixture
def kernels_of():
    """target -> kernels of several register tiles."""
    tiles = ((1, 4), (2, 4), (4, 4), (8, 1), (8, 2))
    return lambda target: tuple(Product(rows, vectors, target.lanes_fp32) for rows, vectors in tiles)
