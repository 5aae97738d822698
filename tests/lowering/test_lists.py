"""The order in which kernels read weights: nothing lost, each entry in the list that is its own."""

import itertools

import numpy as np
import pytest

from spcompile.kernels.cpu.aligned_spmm import AlignedSpmm
from spcompile.kernels.cpu.offset_gemv import NARROW, OffsetGemv
from spcompile.kernels.cpu.offset_spmm import OffsetSpmm
from spcompile.kernels.cpu.reach import LINE, Reach
from spcompile.kernels.cpu.subset_spmm import SUBSET_ROWS, SubsetSpmm
from spcompile.lowering.lists import dense_lists, sparse_lists

ROWS, TAPS, CHANNELS = 8, 9, 4
RESIDUES = (15, 9, 8, 7, 1, 0)


def product(block_rows: int, depths: int = 1, residues: tuple[int, ...] = ()):
    parts = (ROWS, 64, block_rows, 4, LINE, 64, 100, 1000, Reach(CHANNELS, 112, 3, 3, 8))
    return AlignedSpmm(*parts, depths=depths, residues=residues) if residues else OffsetSpmm(*parts, depths=depths)


@pytest.fixture
def matrix():
    random = np.random.default_rng(0)
    return np.where(random.random((ROWS, TAPS * CHANNELS)) < 0.4, random.standard_normal((ROWS, TAPS * CHANNELS)), 0).astype(np.float32)


@pytest.fixture
def offsets():
    """[1, columns] of a 3x3 window on rows of 8: no two columns have the same."""
    taps = np.array([dy * 8 + dx for dy in (-1, 0, 1) for dx in (-1, 0, 1)])
    return (taps[:, None] + 112 * np.arange(CHANNELS)).reshape(1, -1).astype(np.int32)


KERNELS = [
    *(product(rows, depths) for rows in (1, 2, 4) for depths in (1, 2)),
    *(product(1, depths, RESIDUES) for depths in (1, 2)),
    *(OffsetGemv(ROWS, 1, 2, 8, 1, 1, 1, 20, footprint) for footprint in (48, NARROW + 1)),
]


@pytest.mark.parametrize("kernel", KERNELS, ids=lambda kernel: f"{type(kernel).__name__}, {kernel.rows} rows, {getattr(kernel, 'depths', 1)} ranges")
def test_the_matrix_is_there_once_and_in_its_lists(kernel, matrix, offsets):
    values, listed, starts = sparse_lists(kernel, matrix, offsets, CHANNELS)
    if isinstance(kernel, OffsetGemv):
        listed = listed.view(np.int16)[: starts[-1]] if kernel.narrow else listed
    depths, residues, blocks = getattr(kernel, "depths", 1), getattr(kernel, "residues", ()), ROWS // kernel.rows
    groups = max(1, len(residues))
    assert len(starts) == depths * blocks * groups + 1 and starts[0] == 0 and starts[-1] == len(listed)
    column_of, found = {int(at): column for column, at in enumerate(offsets[0])}, np.zeros_like(matrix)
    for number, (first, end) in enumerate(itertools.pairwise(starts)):
        depth, block, group = number // groups // blocks, number // groups % blocks, number % groups
        for entry in range(first, end):
            assert not residues or listed[entry] % LINE == 0
            column = column_of[int(listed[entry]) + (residues[group] if residues else 0)]
            assert column % CHANNELS * depths // CHANNELS == depth
            found[block * kernel.rows : (block + 1) * kernel.rows, column] += values[entry * kernel.rows : (entry + 1) * kernel.rows]
    np.testing.assert_array_equal(found, matrix)


@pytest.mark.parametrize("depths", [1, 2])
@pytest.mark.parametrize("rows", SUBSET_ROWS)
def test_each_column_is_in_the_list_of_the_rows_that_keep_it(matrix, offsets, rows, depths):
    kernel = SubsetSpmm(ROWS, 64, rows, 4, LINE, 64, 100, 1000, Reach(CHANNELS, 112, 3, 3, 8), depths=depths, weights=150)
    values, listed, starts = sparse_lists(kernel, matrix, offsets, CHANNELS)
    records, found, at = starts.reshape(depths, ROWS // rows, kernel.record), np.zeros_like(matrix), 0
    column_of = {int(offset): column for column, offset in enumerate(offsets[0])}
    for depth, block in itertools.product(range(depths), range(ROWS // rows)):
        record = records[depth, block]
        assert record[0] == at
        for subset, (first, end) in zip(kernel.subsets, itertools.pairwise(record[1:]), strict=True):
            for offset in listed[first:end]:
                column = column_of[int(offset)]
                assert column % CHANNELS * depths // CHANNELS == depth
                assert (matrix[block * rows : (block + 1) * rows, column] != 0).nonzero()[0].tolist() == list(subset)
                found[[block * rows + row for row in subset], column] = values[at : at + len(subset)]
                at += len(subset)
    np.testing.assert_array_equal(found, matrix)
    assert at == len(values) == np.count_nonzero(matrix)


def test_groups_have_offsets_of_their_own(matrix):
    """The second half of the rows reads the second half of the channels."""
    offsets = np.arange(2 * TAPS * CHANNELS, dtype=np.int32).reshape(2, -1)
    _, listed, starts = sparse_lists(product(1), matrix, offsets, CHANNELS)
    assert (listed[: starts[ROWS // 2]] < offsets[1, 0]).all() and (listed[starts[ROWS // 2] :] >= offsets[1, 0]).all()


def test_a_dense_list_is_shared(matrix, offsets):
    kernel = OffsetSpmm(ROWS, 64, 4, 2, LINE, 64, 72, 1000, Reach(CHANNELS, 112, 3, 3, 8), shared_list=True)
    values, listed, starts = dense_lists(kernel, matrix, offsets)
    np.testing.assert_array_equal(listed, offsets[0])
    np.testing.assert_array_equal(values.reshape(ROWS // 4, -1, 4).transpose(0, 2, 1).reshape(ROWS, -1), matrix)
    assert list(starts) == [0, TAPS * CHANNELS, 2 * TAPS * CHANNELS]


def test_a_list_that_is_asked_ahead_of_goes_on_with_its_beginning(matrix, offsets):
    parts = (ROWS, 64, 4, 2, LINE, 64, 72, 10_000, Reach(CHANNELS, 1_120, 3, 3, 8))
    plain, asking = (OffsetSpmm(*parts, shared_list=True, positions_outer=False, columns_ahead=ahead) for ahead in (0, 6))
    _, listed, starts = dense_lists(plain, matrix, offsets)
    _, followed, same = dense_lists(asking, matrix, offsets)
    assert asking.x_ahead == 6
    np.testing.assert_array_equal(followed, [*listed, *listed[:6]])
    np.testing.assert_array_equal(same, starts)
