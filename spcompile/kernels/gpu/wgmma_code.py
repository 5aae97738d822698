"""Products on Hopper's tensor cores: a warpgroup's wgmma reads both sides from shared memory and runs on its own (PTX ISA 8.7, section 9.7.15).

Weights and inputs lie with their columns adjacent, in rows of 128 bytes (64 for the kept half of 2:4), swizzled over as many; eight rows are one
pattern. A descriptor says where that begins, and columns further on begin 32 or 64 bytes later. Metadata of 2:4 is warp by warp that of mma.sp.
"""

from spcompile.formats.two_of_four import COLUMNS
from spcompile.kernels.gpu.kernel import WARP
from spcompile.kernels.gpu.mma_product import DTYPES
from spcompile.kernels.gpu.product_code import ProductThread
from spcompile.kernels.gpu.tile import GROUP_ROWS, PATTERN_WORDS, WORDS

SWIZZLES = {8: 1, 4: 2}  # chunks of a row -> the mode, bits 62 and 63 of a descriptor


class WarpgroupThread(ProductThread):
    """Multiplies by wgmma or wgmma.sp."""

    def first_word(self):
        """Where a swizzle begins; shared memory itself may begin anywhere."""
        T = self.T
        word = T.cast(T.cuda.cvta_generic_to_shared(T.address_of(self.shared[0])), "int32") // 4
        return (PATTERN_WORDS - word % PATTERN_WORDS) % PATTERN_WORDS

    def multiply(self, weights, inputs) -> None:
        """Leaves its instructions running, as one group."""
        T, sparse = self.T, self.k.two_of_four
        group, chunks = self.thread // (4 * WARP), self.copies.weight_chunks
        left, right = self.descriptor(weights + group * GROUP_ROWS * chunks * WORDS, chunks), self.descriptor(inputs, 8)
        T.evaluate(T.ptx["wgmma.fence.sync.aligned"]())
        for part in range(COLUMNS // (32 if sparse else 16)):
            self.instruction(left + T.uint64(2 * part), right + T.uint64((4 if sparse else 2) * part), part)
        T.evaluate(T.ptx["wgmma.commit_group.sync.aligned"]())

    def instruction(self, weights, inputs, part: int) -> None:
        T, kind, sums = self.T, DTYPES[self.k.dtype], [self.sums[index] for index in range(self.fragments[1] * 4)]
        if self.k.two_of_four:
            name, source = _sparse(self.k.tile.positions, kind, part)
            T.evaluate(T.cuda.func_call(name, *sums, weights, inputs, self.places[0], source_code=source))
        else:
            instruction = T.ptx[f"wgmma.mma_async.sync.aligned.m64n{self.k.tile.positions}k16.f32.{kind}.{kind}"]
            T.evaluate(instruction(*sums, weights, inputs, True, 1, 1, 0, 0))

    def descriptor(self, word, chunks: int):
        """Of rows of `chunks` chunks from that word of shared memory on.

        Address; leading offset, unused, 1; bytes from one pattern of eight rows to the next; each without its lowest four bits. Then the swizzle.
        """
        T = self.T
        address = T.cast(T.cuda.cvta_generic_to_shared(T.address_of(self.shared[word])), "uint64")
        low = T.bitwise_or(T.shift_right(T.bitwise_and(address, T.uint64(0x3FFFF)), T.uint64(4)), T.uint64(1 << 16))
        return T.bitwise_or(low, T.shift_left(T.uint64(8 * chunks | SWIZZLES[chunks] << 30), T.uint64(32)))

    def finish(self) -> None:
        """The compiler does not know that waiting changes the sums: they pass through a statement that it cannot see into."""
        T, count = self.T, self.fragments[1] * 4
        name, source = _settled(count)
        T.evaluate(T.cuda.func_call(name, *(self.sums[index] for index in range(count)), source_code=source))


def _sparse(positions: int, kind: str, selector: int) -> tuple[str, str]:
    """(name, CUDA source) of wgmma.mma_async.sp, which TVM's table of instructions lacks: (sums..., descriptors of A and B, metadata)."""
    count = positions // 2
    name = f"wgmma_sp_m64n{positions}k32_f32_{kind}_{selector}"
    sums = ", ".join(f"%{index}" for index in range(count))
    code = (
        f"{{ .reg .pred p; setp.ne.b32 p, 1, 0; wgmma.mma_async.sp.sync.aligned.m64n{positions}k32.f32.{kind}.{kind} "
        f"{{{sums}}}, %{count}, %{count + 1}, %{count + 2}, {selector}, p, 1, 1, 0, 0; }}"
    )
    parameters = ", ".join(f"float& d{index}" for index in range(count)) + ", uint64_t a, uint64_t b, uint32_t metadata"
    return name, _function(name, parameters, code, count, ' : "l"(a), "l"(b), "r"(metadata)')


def _settled(count: int) -> tuple[str, str]:
    name = f"wgmma_settled_{count}"
    return name, _function(name, ", ".join(f"float& d{index}" for index in range(count)), "", count, ' :: "memory"')


def _function(name: str, parameters: str, code: str, count: int, rest: str) -> str:
    outputs = ", ".join(f'"+f"(d{index})' for index in range(count))
    return f'__forceinline__ __device__ void {name}({parameters}) {{ asm volatile("{code}" : {outputs}{rest}); }}\n'
