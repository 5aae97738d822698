"""Products warp by warp: fragments come from shared memory by ldmatrix, as PTX ISA 8.7, 9.7.14.5.8 (mma.m16n8k16) and 9.7.14.6 (mma.sp) give them."""

from spcompile.formats.two_of_four import ROWS
from spcompile.kernels.gpu.mma_product import DTYPES
from spcompile.kernels.gpu.product_code import ProductThread
from spcompile.kernels.gpu.tile import swizzled


class WarpThread(ProductThread):
    """Multiplies by mma or mma.sp."""

    def prepare(self) -> None:
        self.a = self.T.alloc_buffer((4,), "uint32", scope="local")
        self.b = self.T.alloc_buffer((self.fragments[1] * 4,), "uint32", scope="local")

    def multiply(self, weights, inputs) -> None:
        """Two halves of 32 columns."""
        for half in range(2):
            for column in range(self.fragments[1]):
                row = self.warp_position + column * 8 + self.lane % 8
                self.load(self.b, column * 4, inputs + swizzled(row, half * 4 + self.lane // 8, 8))
            for row in range(self.fragments[0]):
                (self.multiply_sparse if self.k.two_of_four else self.multiply_dense)(weights, half, row)

    def multiply_sparse(self, weights, half: int, row: int) -> None:
        T, kind = self.T, DTYPES[self.k.dtype]
        self.load(self.a, 0, weights + swizzled(self.warp_row + row * ROWS + self.lane % 16, half * 2 + self.lane // 16, 4))
        for column in range(self.fragments[1]):
            sums, b = self.sums_of(row, column), [self.b[column * 4 + part] for part in range(4)]
            instruction = T.ptx[f"mma.sp::ordered_metadata.sync.aligned.m16n8k32.row.col.f32.{kind}.{kind}.f32"]
            T.evaluate(instruction(*sums, *self.a_parts(), *b, *sums, self.places[row], half))

    def multiply_dense(self, weights, half: int, row: int) -> None:
        T, kind = self.T, DTYPES[self.k.dtype]
        for quarter in range(2):
            chunk = half * 4 + quarter * 2 + self.lane // 16
            self.load(self.a, 0, weights + swizzled(self.warp_row + row * ROWS + self.lane % 16, chunk, 8))
            for column in range(self.fragments[1]):
                sums, b = self.sums_of(row, column), [self.b[column * 4 + quarter * 2 + part] for part in range(2)]
                T.evaluate(T.ptx[f"mma.sync.aligned.m16n8k16.row.col.f32.{kind}.{kind}.f32"](*sums, *self.a_parts(), *b, *sums))

    def load(self, registers, first: int, word) -> None:
        """Four 8 x 8 matrices; each lane names the row of one of them."""
        T = self.T
        parts = [registers[first + part] for part in range(4)]
        T.evaluate(T.ptx["ldmatrix.sync.aligned.m8n8.x4.shared.b16"](*parts, T.address_of(self.shared[word])))

    def a_parts(self) -> list:
        return [self.a[part] for part in range(4)]
