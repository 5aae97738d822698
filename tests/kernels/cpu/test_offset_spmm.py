"""The sparse product with positions in the lanes, at awkward sizes, against numpy in float64."""

import itertools

import numpy as np
import pytest

from spcompile.formats.block_rows import pack
from spcompile.kernels.cpu.offset_spmm import ROWS_THAT_ASK, OffsetSpmm
from spcompile.kernels.cpu.reach import Reach
from spcompile.kernels.expression import ACCUMULATOR, operand
from spcompile.kernels.operand import Operand
from tests.kernels.cpu.results import check

GAP = 5  # columns behind each row of x and y that belong to nobody
ROWS, VECTORS = (1, 2, 3, 4, 5, 6, 7, 8, 12, 16), (1, 2, 3, 4, 6, 8)


def shapes(target, count: int = 16):
    """A fixed sample of (rows, vectors, lanes, positions, positions outermost, depths, shared list): every value of each, tiles that fit the registers."""
    rng = np.random.default_rng(target.lanes_fp32)
    grid = [tile for tile in itertools.product(ROWS, VECTORS) if tile[0] * tile[1] + tile[1] + 1 <= target.vector_registers]
    for index, (rows, vectors) in enumerate(rng.permutation(grid)[:count].tolist()):
        lanes = target.lanes_fp32 >> (index % 3 == 2)
        tile, outer, shared = vectors * lanes, index % 4 != 3, index % 5 == 4
        depths = (1, 2, 4)[index % 3] if outer and not shared else 1
        yield rows, vectors, lanes, tile + (0, 1, 3, lanes - 1, lanes, 2 * tile + 1)[index % 6], outer, depths, shared


def sparse(rng, rows: int, columns: int, block_rows: int, density: float) -> np.ndarray:
    """Blocks kept at random; single weights inside them are zero too, and the last rows are empty."""
    blocks = rng.random((rows // block_rows, 1, columns)) < density
    kept = np.broadcast_to(blocks, (rows // block_rows, block_rows, columns)).reshape(rows, columns) & (rng.random((rows, columns)) < 0.9)
    kept[rows - block_rows :] = False
    return np.where(kept, rng.standard_normal((rows, columns)), 0).astype(np.float32)


def packed(matrix: np.ndarray, kernel_rows: int, shared: bool, depths: int, pitch: int):
    """-> values, offsets, starts as the kernel takes them: by ranges of columns, then by row blocks."""
    lists = pack(matrix, None if shared else matrix != 0, kernel_rows)
    values, columns, starts = lists.values, lists.columns, lists.starts
    if depths > 1:
        row_block = np.repeat(np.arange(lists.row_blocks), np.diff(starts))
        place = columns * depths // matrix.shape[1] * lists.row_blocks + row_block
        order = np.argsort(place, kind="stable")
        values, columns = values[order], columns[order]
        starts = np.searchsorted(place[order], np.arange(depths * lists.row_blocks + 1)).astype(np.int32)
    return np.append(values.ravel(), np.float32(0)), np.append(columns * pitch, 0).astype(np.int32), starts


def poisoned(array: np.ndarray, gap: int) -> np.ndarray:
    return np.pad(array.astype(np.float32), ((0, 0), (0, gap)), constant_values=np.nan)


def case(
    rows, vectors, lanes, positions, outer, depths, shared, rng, columns=17, epilogue=ACCUMULATOR, operands=(), tensors=(), scattered=False, beside=0, ahead=0
):
    """-> (call, where y is in it, the result in float64)."""
    whole = positions + beside
    matrix = sparse(rng, rows * 3, columns, rows, 1.0 if shared else 0.4)
    x = poisoned(rng.standard_normal((columns, whole)), GAP)
    y = np.full((rows * 3, whole + GAP), np.nan, np.float32)
    lists = packed(matrix, rows, shared, depths, whole + GAP)
    blocks = 3 * columns if shared else len(lists[0]) // rows
    kernel = OffsetSpmm(
        out_rows=rows * 3, positions=positions, rows=rows, vectors=vectors, lanes=lanes, y_row_stride=whole + GAP, blocks=blocks,
        x_footprint=x.size, reach=Reach(columns, whole + GAP, 1, 1, 0), epilogue=epilogue, operands=operands, shared_list=shared,
        positions_outer=outer, depths=depths, scattered=scattered, beside=beside, columns_ahead=ahead,
    )  # fmt: skip
    if kernel.x_ahead:
        lists = (lists[0], np.append(lists[1], np.full(ahead, -(1 << 20), np.int32)), lists[2])  # asked for and never read
    if scattered:
        row_of = rng.permutation(rows * 3).astype(np.int32)
        tensors, matrix = (*tensors, row_of), matrix[np.argsort(row_of)]
    expected = matrix.astype(np.float64) @ x[:, :whole].astype(np.float64)
    return (kernel, [x, *lists, y, *tensors]), expected


def test_product(call_kernels, target):
    rng = np.random.default_rng(1)
    tiles = list(shapes(target))
    cases = [case(*shape, rng) for shape in tiles]
    for shape, (_, expected), arrays in zip(tiles, cases, call_kernels([call for call, _ in cases], target), strict=True):
        check(arrays[4], expected, shape)


@pytest.mark.parametrize("beside", [0, 1])
def test_asking_for_x_reads_nothing_more(call_kernels, target, beside):
    """Of blocks of many rows and of dense ones, with either loop outside, where x is more than L1 holds."""
    rng, lanes, columns = np.random.default_rng(5), target.lanes_fp32, 200
    wide = [(8, 1), (4, 2)] if target.vector_registers < 32 else [(8, 3), (4, 4), (16, 1)]
    tiles = [(rows, vectors, lanes, 6 * lanes, outer, 1, shared) for rows, vectors in wide for outer in (True, False) for shared in (True, False)]
    cases = [case(*tile, rng, columns, beside=beside, ahead=3) for tile in tiles]
    assert [call[0].x_ahead for call, _ in cases] == [3 if shared or rows >= ROWS_THAT_ASK else 0 for rows, *_, shared in tiles]
    for tile, (_, expected), arrays in zip(tiles, cases, call_kernels([call for call, _ in cases], target), strict=True):
        check(arrays[4], expected, tile)


def test_product_of_two_threads(call_kernels, target):
    """With ranges of columns, sums wait in y: there the tiles must not overlap."""
    rng = np.random.default_rng(2)
    lanes = target.lanes_fp32
    tiles = [
        (4, 2, lanes, 67, True, 1, False),
        (4, 2, lanes, 67, False, 1, False),
        (2, 2, lanes, 6 * lanes, True, 2, False),
        (2, 3, lanes, 8 * lanes, True, 2, False),
        (6, 2, lanes, 67, True, 1, True),
    ]
    cases = [case(*shape, rng) for shape in tiles]
    for shape, (_, expected), arrays in zip(tiles, cases, call_kernels([call for call, _ in cases], target, threads=2), strict=True):
        check(arrays[4], expected, shape)


@pytest.mark.parametrize(("depths", "scattered"), [(1, False), (2, False), (1, True), (2, True)])
def test_epilogue_of_bias_residual_and_mask(call_kernels, target, depths, scattered):
    """max((product + bias) * 2 + residual, 0) where the mask says so, by the row of y that is written, wherever its weights are stored.

    Residual and mask have NaN where nobody may look.
    """
    rng = np.random.default_rng(3)
    rows, positions, gap = 4, 37, 11
    bias, residual = rng.standard_normal(rows * 3).astype(np.float32), poisoned(rng.standard_normal((rows * 3, positions)), gap)
    mask = (np.arange(positions) % 7 < 5).astype(np.float32)
    residual[:, :positions][:, mask == 0] = np.nan
    total = ("add", ("mul", ("add", operand(0), operand(1)), ("const", 2.0)), operand(2))
    epilogue = ("where", operand(3), ("relu", total), ("const", 0.0))
    operands = (Operand(1, 0), Operand(positions + gap, 1), Operand(0, 1))
    call, product = case(rows, 2, 8, positions, True, depths, False, rng, 17, epilogue, operands, (bias, residual, mask), scattered)
    y = call_kernels([call], target)[0][4]
    inside = np.maximum((product + bias[:, None]) * 2 + residual[:, :positions], 0)
    check(y, np.where(mask == 0, 0, inside), depths)


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("scattered", [False, True])
def test_a_position_beside_the_last(call_kernels, target, scattered, threads):
    """Behind one tile, behind whole ones, behind a narrower last one; with either loop outside and with ranges of columns; bias and residual."""
    rng, lanes, gap = np.random.default_rng(4), target.lanes_fp32, 7
    tiles = [(rows, 2, registers, outer, depths) for rows in (4, 6) for registers in (2, 5, 6) for outer, depths in ((True, 1), (False, 1), (True, 2))]
    cases = []
    for rows, vectors, registers, outer, depths in tiles:
        positions = registers * lanes
        bias, residual = rng.standard_normal(rows * 3).astype(np.float32), poisoned(rng.standard_normal((rows * 3, positions + 1)), gap)
        epilogue, operands = ("add", ("add", operand(0), operand(1)), operand(2)), (Operand(1, 0), Operand(positions + 1 + gap, 1))
        call, product = case(rows, vectors, lanes, positions, outer, depths, False, rng, 17, epilogue, operands, (bias, residual), scattered, 1)
        cases.append((call, product + bias[:, None] + residual[:, : positions + 1]))
    for shape, (_, expected), arrays in zip(tiles, cases, call_kernels([call for call, _ in cases], target, threads), strict=True):
        check(arrays[4], expected, shape)


def test_empty_lists_give_zeros(call_kernels, target):
    rng = np.random.default_rng(0)
    (kernel, pointers), expected = case(2, 1, 8, 9, True, 2, False, rng)
    pointers[3] = np.zeros_like(pointers[3])
    ((_, _, _, _, y),) = call_kernels([(kernel, pointers)], target)
    check(y, np.zeros_like(expected), "empty")


def test_tiles_must_fit_the_positions():
    with pytest.raises(AssertionError):
        OffsetSpmm(2, 15, 2, 1, 16, 16, 4, 64, 64)
    with pytest.raises(AssertionError):
        OffsetSpmm(3, 16, 2, 1, 16, 16, 4, 64, 64)
    with pytest.raises(AssertionError):  # a shared list is not cut into ranges
        OffsetSpmm(2, 16, 2, 1, 16, 16, 4, 64, 64, shared_list=True, depths=2)
    with pytest.raises(AssertionError):  # several sums a register would need joining
        OffsetSpmm(2, 16, 2, 1, 16, 17, 4, 64, 64, beside=1)


@pytest.mark.parametrize(("positions", "last", "registers"), [(224, 4, 14), (220, 4, 14), (240, 5, 15), (80, 5, 5), (81, 1, 6)])
def test_the_last_tile_has_as_few_registers_as_cover_what_is_left(positions, last, registers):
    kernel = OffsetSpmm(8, positions, 4, 5, 16, positions, 20, 1024, Reach(8, 256, 1, 1, 16))
    assert (kernel.last_vectors, kernel.registers) == (last, registers)
    assert kernel.work().fma == 20 * 4 * registers and kernel.work().stores == 8 * registers
    assert kernel.last.tiles == 1 and kernel.last.tile == last * 16


def test_few_registers_sum_in_independent_chains():
    chains = {rows * vectors: OffsetSpmm(rows, 64, rows, vectors, 8, 64, 4, 64, 64).chains for rows, vectors in ((1, 1), (1, 2), (1, 3), (2, 2), (4, 2))}
    assert chains == {1: 4, 2: 2, 3: 2, 4: 1, 8: 1}


def test_a_mask_is_loaded_once_a_block_of_rows_and_is_no_tensor_of_its_own(target):
    """Counted as one, it made long outputs of short lists seem twice as slow as they are."""
    lanes = target.lanes_fp32
    alone, mask, residual = (kernel_of(lanes, operands).work() for operands in ((), (Operand(0, 1),), (Operand(8 * lanes, 1),)))
    assert mask.loads - alone.loads == (residual.loads - alone.loads) / 4 == alone.stores / 4
    assert [moved(work) - moved(alone) for work in (mask, residual)] == [0, 32 * 8 * lanes * 4]


def kernel_of(lanes: int, operands) -> OffsetSpmm:
    reach = Reach(16, 8 * lanes, 1, 1, 8 * lanes)
    return OffsetSpmm(32, 8 * lanes, 4, 2, lanes, 8 * lanes, 128, 16 * 8 * lanes, reach, operands=operands)


def moved(work) -> float:
    return sum(stream.bytes_moved for stream in work.streams)
