"""How a tile's sums, once they lie in shared memory, become results: neighbouring threads write neighbouring channels."""

from collections.abc import Callable

from spcompile.kernels.expression import evaluate

PAD = 4  # fp32 numbers behind each position in shared memory: then the lanes of a warp write to banks of their own


def tile_words(rows: int, positions: int) -> int:
    """32-bit words of shared memory that the sums take: the one of row m and position p lies at p * (rows + PAD) + m."""
    return positions * (rows + PAD)


def write_tile(T, k, tile: tuple[int, int], corner: tuple, thread, shared, y, operands: list, batch=0, row_of: Callable | None = None) -> None:
    """Statements of one thread that put k.epilogue of the sums where y has them.

    k: with rows, positions, threads, dtype, epilogue, operands, y_stride and batch_strides. tile: rows and positions; corner: the first of each.
    row_of: tile row -> row of y, where rows were put in an order.
    """
    rows, positions = tile
    with T.serial(0, rows * positions // k.threads) as turn:
        place = turn * k.threads + thread
        m, p = place % rows, place // rows
        row, position = corner[0] + m, corner[1] + p
        if row_of is not None:
            row = row_of(row)
        with T.If(T.And(row < k.rows, position < k.positions)), T.Then():
            value = T.reinterpret("float32", shared[p * (rows + PAD) + m])
            loaded = [
                T.cast(buffer[batch * operand.batch_stride + row * operand.row_stride + position * operand.position_stride], "float32")
                for buffer, operand in zip(operands, k.operands, strict=True)
            ]
            T.buffer_store(y, T.cast(evaluate(k.epilogue, [value, *loaded]), k.dtype), [batch * k.batch_strides[2] + position * k.y_stride + row])
