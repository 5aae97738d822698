import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spcompile.formats.column_blocks import BAND, STEP, pack, unpack


def blocks(rows: int, columns: int, height: int, width: int, seed: int) -> np.ndarray:
    """About a fifth of the blocks are not zero."""
    rng = np.random.default_rng(seed)
    kept = np.kron(rng.random((-(-rows // height), -(-columns // width))) < 0.2, np.ones((height, width), bool))[:rows, :columns]
    return np.where(kept, rng.standard_normal((rows, columns)), 0).astype(np.float16)


@given(rows=st.integers(1, 150), columns=st.integers(1, 200), width=st.sampled_from([16, 32, 64]), seed=st.integers(0, 50))
def test_unpack_inverts_pack(rows, columns, width, seed):
    matrix = blocks(rows, columns, 16, 16, seed)
    np.testing.assert_array_equal(unpack(pack(matrix, 64, width)), matrix)


def test_nothing_but_kept_blocks_is_stored():
    matrix = blocks(256, 512, 64, 64, 0)
    packed = pack(matrix, 64, 64)
    assert packed.values.size == np.count_nonzero(matrix.reshape(4, 64, 8, 64).any(axis=(1, 3))) * 64 * STEP


def test_rows_that_keep_the_same_columns_share_a_tile():
    """Bands that alternate between two halves of the columns: in their order every tile would need both."""
    matrix = np.zeros((128, 256), np.float16)
    for band in range(8):
        matrix[BAND * band : BAND * (band + 1), (band % 2) * 128 : (band % 2 + 1) * 128] = 1
    assert pack(matrix, 64, 64).density == 0.5


@pytest.mark.parametrize("rows", [64, 70])
def test_every_row_has_one_place(rows):
    order = pack(blocks(rows, 64, 16, 16, 1), 64, 16).order
    assert sorted(order)[:rows] == list(range(rows)) and set(sorted(order)[rows:]) <= {rows}


def test_empty_rows_share_tiles():
    """Every second row is empty: half the tiles have nothing to do."""
    matrix = np.ones((256, 64), np.float16)
    matrix[::2] = 0
    packed = pack(matrix, 64, 64)
    assert packed.density == 0.5 and np.diff(packed.starts.astype(int)).tolist() == [1, 1, 0, 0]
    np.testing.assert_array_equal(unpack(packed), matrix)


def test_bands_stay_together_and_single_empty_rows_do_not():
    matrix = blocks(64, 256, 16, 64, 3)
    matrix[:, 0] = 1
    assert pack(matrix, 64, 64).together(4) and pack(matrix[:60], 64, 64).together(4)
    matrix[5] = 0
    assert not pack(matrix, 64, 64).together(4)


def test_a_matrix_of_zeros_has_no_steps():
    packed = pack(np.zeros((64, 64), np.float16), 64, 64)
    assert packed.starts.tolist() == [0, 0] and not unpack(packed).any()
