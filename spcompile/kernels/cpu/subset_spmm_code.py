"""The code of `SubsetSpmm`: that of `OffsetSpmm` but for how the lists of a block of rows are summed up."""

from spcompile.kernels.cpu import offset_spmm_code
from spcompile.kernels.cpu.subset_spmm import SubsetSpmm


def emit(k: SubsetSpmm, threads: int):
    return offset_spmm_code.emit(k, threads, _Code)


class _Code(offset_spmm_code.Code):
    k: SubsetSpmm

    def sum_up(self, acc, depth, m, position) -> None:
        from tvm.tirx.script.builder import ir as T

        k = self.k
        record = (depth * k.row_blocks + m) * k.record
        value = T.alloc_buffer((1,), "int32", scope="local", annotations={"disable_lower_builtin": True})
        T.buffer_store(value, self.start[record], [0])
        for number, rows in enumerate(k.subsets, 1):
            first = self.start[record + number]
            count = self.start[record + number + 1] - first
            with T.serial(0, count) as j:
                self.accumulate_rows(acc, rows, value[0] + j * len(rows), self.offset[first + j], position)
            T.buffer_store(value, value[0] + count * len(rows), [0])

    def accumulate_rows(self, acc, rows: tuple[int, ...], first_value, at, position) -> None:
        """One column, kept by `rows`."""
        from tvm.tirx.script.builder import ir as T

        for v in range(self.k.vectors):
            for place, r in enumerate(rows):
                with T.vectorized(0, self.k.lanes) as i:
                    here = self.lane(r * self.k.vectors + v, i)
                    T.buffer_store(acc, acc[here] + self.value[first_value + place] * self.x[at + position + self.lane(v, i)], [here])
