"""The code of `OffsetSpmm`: tiles of positions and row blocks in the order asked, then the offset list, then rows x vectors in registers."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from spcompile.kernels.cpu.offset_spmm import OffsetSpmm
from spcompile.kernels.cpu.reach import LINE
from spcompile.kernels.expression import evaluate
from spcompile.kernels.operand import load_operands, operand_pointers
from spcompile.kernels.script import kernel_function, outer_loop, prefetch, registers


def emit(k: OffsetSpmm, threads: int, code: type["Code"] | None = None):
    """code: who writes the statements, where not `Code`."""

    def body(x, value, offset, start, y, row_of=None, **operands):
        (code or Code)(k, x, value, offset, start, y, row_of, tuple(operands.values())).loops(threads)

    pointers = {"x": "float32", "value": "float32", "offset": "int32", "start": "int32", "y": "float32"}
    scatter = {"row_of": "int32"} if k.scattered else {}
    return kernel_function(k.name, pointers | operand_pointers(k.operands) | scatter, body)


@dataclass(frozen=True, eq=False)
class Code:
    """The kernel with its pointers, while its statements are written."""

    k: OffsetSpmm
    x: object
    value: object
    offset: object
    start: object
    y: object
    row_of: object
    operands: tuple
    spare: object = None  # sums of the position beside the last, a lane for each row

    def loops(self, threads: int) -> None:
        from tvm.tirx.script.builder import ir as T

        k = self.k
        if k.positions_outer:
            with outer_loop(k.tiles, threads) as tile:
                self.of_its_width(tile, Code.all_rows)
        else:
            with outer_loop(k.row_blocks, threads) as m, T.serial(0, k.tiles) as tile:
                self.of_its_width(tile, lambda code, position: code.block(position, 0, m))

    def of_its_width(self, tile, write: Callable[["Code", object], None]) -> None:
        """write(code, first position) of a tile; of the last one in code of its own where it has fewer registers."""
        from tvm.tirx.script.builder import ir as T

        k = self.k
        if k.tiles == 1 or (k.last_vectors == k.vectors and not k.beside):
            write(self, k.begin_of(tile))
            return
        with T.If(tile < k.tiles - 1):
            with T.Then():
                write(replace(self, k=replace(k, beside=0)), tile * k.tile)
            with T.Else():
                write(replace(self, k=k.last), k.positions - k.last.tile)

    def all_rows(self, position) -> None:
        """One tile of every row block, range by range of columns."""
        from tvm.tirx.script.builder import ir as T

        with T.serial(0, self.k.depths) as depth, T.serial(0, self.k.row_blocks) as m:
            self.block(position, depth if self.k.depths > 1 else 0, m)

    def block(self, position, depth, m) -> None:
        """One tile of one row block, over one range of columns."""
        from tvm.tirx.script.builder import ir as T

        k = self.k
        if k.beside and self.spare is None:
            replace(self, spare=registers(k.rows)).block(position, depth, m)
            return
        self.fetch(position, depth, m)
        acc = registers(self.held * k.lanes)
        self.begin_sums(acc, depth, m * k.rows, position)
        self.sum_up(acc, depth, m, position)
        if k.depths == 1:
            self.finish(acc, m * k.rows, position)
            return
        with T.If(depth == k.depths - 1):
            with T.Then():
                self.finish(acc, m * k.rows, position)
            with T.Else():
                self.keep(acc, m * k.rows, position)

    def fetch(self, position, depth, m) -> None:
        """Ask for what the end of this block and the next tile will touch: rows lie too far apart for the machine to foresee it.

        Sums that wait for the next range are read when the block begins, and so need no asking for.
        """
        from tvm.tirx.script.builder import ir as T

        k = self.k
        lines = range(0, k.tile, LINE)
        tensors = [(b, o) for b, o in zip(self.operands, k.operands, strict=True) if o.is_tensor]
        for row in (self.y_row(m * k.rows + r) for r in range(k.rows_ahead)):
            for at in (position + line for line in lines):
                prefetch(self.y, row * k.y_row_stride + at, write=True)
                for buffer, operand in tensors:
                    prefetch(buffer, row * operand.row_stride + at)
        after = T.min(position + k.tile, k.positions - k.tile)
        for plane in range(k.planes_ahead):
            number = T.min((depth * k.row_blocks + m) * k.planes_ahead + plane, k.reach.planes - 1)
            for line in lines:
                prefetch(self.x, number * k.reach.plane_elements + after + line, into_l2=True)

    def y_row(self, row):
        return self.row_of[row] if self.k.scattered else row

    def lane(self, register, i):
        return register * self.k.lanes + i

    @property
    def held(self) -> int:
        """Registers of sums."""
        return self.k.chains * self.k.rows * self.k.vectors

    def zeros(self, acc) -> None:
        from tvm.tirx.script.builder import ir as T

        for register in range(self.held):
            with T.vectorized(0, self.k.lanes) as i:
                T.buffer_store(acc, T.float32(0), [self.lane(register, i)])
        if self.spare is not None:
            with T.vectorized(0, self.k.rows) as r:
                T.buffer_store(self.spare, T.float32(0), [r])

    def begin_sums(self, acc, depth, first_row, position) -> None:
        from tvm.tirx.script.builder import ir as T

        self.zeros(acc)
        if self.k.depths > 1:
            for register, at in self.waiting(first_row, position):
                with T.vectorized(0, self.k.lanes) as i:
                    T.buffer_store(acc, self.left(depth, at + i), [self.lane(register, i)])
            for r, at in self.waiting_beside(first_row, position):
                T.buffer_store(self.spare, self.left(depth, at), [r])

    def left(self, depth, at):
        """What earlier ranges of columns left in y[at]."""
        from tvm.tirx.script.builder import ir as T

        return T.Select(depth > 0, self.y[at], T.float32(0))

    def sum_up(self, acc, depth, m, position) -> None:
        from tvm.tirx.script.builder import ir as T

        k = self.k
        list_number = depth * k.row_blocks + m
        per_block = k.blocks // k.row_blocks  # of a shared list
        first = 0 if k.shared_list else self.start[list_number]
        count = per_block if k.shared_list else self.start[list_number + 1] - self.start[list_number]
        values = (m * per_block if k.shared_list else first) * k.rows
        if k.chains == 1:
            with T.serial(0, count) as j:
                self.ask_for_x(first + j + k.x_ahead, position)
                self.accumulate(acc, 0, values + j * k.rows, self.offset[first + j], position)
            return
        with T.serial(0, T.truncdiv(count, k.chains)) as group:
            for chain in range(k.chains):
                j = group * k.chains + chain
                self.accumulate(acc, chain, values + j * k.rows, self.offset[first + j], position)
        with T.serial(0, T.truncmod(count, k.chains)) as rest:
            j = T.truncdiv(count, k.chains) * k.chains + rest
            self.accumulate(acc, 0, values + j * k.rows, self.offset[first + j], position)
        self.join_chains(acc)

    def ask_for_x(self, column, position) -> None:
        """Of a column still to come: hardware does not follow lists of offsets."""
        for line in range(0, self.k.tile if self.k.x_ahead else 0, LINE):
            prefetch(self.x, self.offset[column] + position + line)

    def accumulate(self, acc, chain, first_value, at, position, vectors: int | None = None) -> None:
        """One column of the list; vectors: registers a row, where not the tile's."""
        from tvm.tirx.script.builder import ir as T

        k = self.k
        if k.values_ahead:
            prefetch(self.value, first_value + k.values_ahead)
        for r in range(k.rows):
            for v in range(vectors or k.vectors):
                with T.vectorized(0, k.lanes) as i:
                    here = self.lane((chain * k.rows + r) * k.vectors + v, i)
                    T.buffer_store(acc, acc[here] + self.value[first_value + r] * self.x[at + position + self.lane(v, i)], [here])
        if self.spare is not None:
            with T.vectorized(0, k.rows) as r:
                T.buffer_store(self.spare, self.spare[r] + self.value[first_value + r] * self.x[at + position + k.tile], [r])

    def join_chains(self, acc) -> None:
        from tvm.tirx.script.builder import ir as T

        k = self.k
        for register in range(k.rows * k.vectors):
            with T.vectorized(0, k.lanes) as i:
                total = acc[self.lane(register, i)]
                for chain in range(1, k.chains):
                    total = total + acc[self.lane(chain * k.rows * k.vectors + register, i)]
                T.buffer_store(acc, total, [self.lane(register, i)])

    def finish(self, acc, first_row, position) -> None:
        from tvm.tirx.script.builder import ir as T

        k = self.k
        for r in range(k.rows):
            row = self.y_row(first_row + r)
            for v in range(k.vectors):
                with T.vectorized(0, k.lanes) as i:
                    p = position + self.lane(v, i)
                    result = evaluate(k.epilogue, [acc[self.lane(r * k.vectors + v, i)], *load_operands(self.operands, k.operands, row, p)])
                    T.buffer_store(self.y, result, [row * k.y_row_stride + p])
            if self.spare is not None:
                p = position + k.tile
                result = evaluate(k.epilogue, [self.spare[r], *load_operands(self.operands, k.operands, row, p)])
                T.buffer_store(self.y, result, [row * k.y_row_stride + p])

    def keep(self, acc, first_row, position) -> None:
        """Sums that wait for the next range of columns."""
        from tvm.tirx.script.builder import ir as T

        for register, at in self.waiting(first_row, position):
            with T.vectorized(0, self.k.lanes) as i:
                T.buffer_store(self.y, acc[self.lane(register, i)], [at + i])
        for r, at in self.waiting_beside(first_row, position):
            T.buffer_store(self.y, self.spare[r], [at])

    def waiting(self, first_row, position):
        """-> (register, where its first lane waits in y) of every sum."""
        k = self.k
        starts = [self.y_row(first_row + r) * k.y_row_stride + position for r in range(k.rows)]
        return [(r * k.vectors + v, begin + v * k.lanes) for r, begin in enumerate(starts) for v in range(k.vectors)]

    def waiting_beside(self, first_row, position):
        """The same of the position beside the last."""
        k = self.k
        return [] if self.spare is None else [(r, self.y_row(first_row + r) * k.y_row_stride + position + k.tile) for r in range(k.rows)]
