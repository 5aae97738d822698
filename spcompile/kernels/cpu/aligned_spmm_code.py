"""The code of `AlignedSpmm`: that of `OffsetSpmm` but for how one list is summed up."""

from spcompile.kernels.cpu import offset_spmm_code
from spcompile.kernels.cpu.aligned_spmm import AlignedSpmm
from spcompile.kernels.script import run


def emit(k: AlignedSpmm, threads: int):
    return offset_spmm_code.emit(k, threads, _Code)


class _Code(offset_spmm_code.Code):
    k: AlignedSpmm

    @property
    def held(self) -> int:
        return self.k.vectors + 1

    def begin_sums(self, acc, depth, first_row, position) -> None:
        self.zeros(acc)

    def sum_up(self, acc, depth, m, position) -> None:
        from tvm.tirx.script.builder import ir as T

        k = self.k
        group = (depth * k.row_blocks + m) * len(k.residues)
        for number, (residue, lanes) in enumerate(zip(k.residues, k.moves, strict=True)):
            first = self.start[group + number]
            with T.serial(0, self.start[group + number + 1] - first) as j:
                self.accumulate(acc, 0, first + j, self.offset[first + j], position, k.registers_of(residue))
            if lanes:
                self.move(acc, lanes, k.registers_of(residue))
        if k.depths > 1:
            for register, at in self.waiting(m, position):
                with T.vectorized(0, k.lanes) as i:
                    here = self.lane(register, i)
                    T.buffer_store(acc, acc[here] + self.left(depth, at + i), [here])

    def move(self, acc, lanes: int, count: int) -> None:
        """The first `count` registers to the left; what comes into the last one from behind it was never a sum of this tile."""
        from tvm.tirx import Shuffle
        from tvm.tirx.script.builder import ir as T

        width = self.k.lanes
        for register in range(count):
            pair = [acc[run(at * width, width)] for at in (register, min(register + 1, count - 1))]
            T.buffer_store(acc, Shuffle(pair, list(range(lanes, lanes + width))), [run(register * width, width)])
