import numpy as np
import pytest

from spcompile.ir.layer import Layer
from spcompile.patterns.block import Block


def conv(rows, columns, groups=1):
    return Layer("conv", "Conv", "weight", None, "x", "y", rows, columns, 49, groups=groups)


def test_blocks_are_ranked_by_the_sum_over_their_rows():
    saliency = np.array([[9, 1, 3], [0, 2, 3], [1, 1, 5], [1, 6, 0]], np.float32)  # block sums 9 3 6 / 2 7 5
    expected = [[1, 0, 1], [1, 0, 1], [0, 1, 1], [0, 1, 1]]
    np.testing.assert_array_equal(Block(2).mask(saliency, 1 / 3), np.array(expected, bool))


@pytest.mark.parametrize(
    ("layer", "rows", "reason"),
    [
        (conv(1001, 1024), 4, "1001 rows are not a multiple of 4"),
        (conv(8, 64), 16, "8 rows are not a multiple of 16"),
        (conv(24, 16, groups=4), 4, "6 rows a group are not a multiple of 4"),
        (conv(4, 1), 4, "the layer is a single block of 4x1"),
    ],
)
def test_refusals_give_the_numbers(layer, rows, reason):
    assert Block(rows).fits(layer).reason == reason


def test_blocks_fit_within_groups():
    assert Block(2).fits(conv(24, 16, groups=4)) and Block(16).fits(conv(64, 3))


def test_a_mask_of_other_rows_is_refused():
    assert Block(4).check(np.ones((6, 3), bool)).reason == "6 rows are not a multiple of 4"


def test_a_torn_block_is_refused():
    mask = np.ones((4, 3), bool)
    mask[2, 1] = False
    assert "1 of 3 units of 4x1 weights are kept in part" in Block(4).check(mask).reason


def test_a_block_has_more_than_one_row():
    with pytest.raises(AssertionError):
        Block(1)
