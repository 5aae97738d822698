import numpy as np
import pytest

from spcompile.ir.layer import Layer
from spcompile.patterns.tile import Tile


def conv(rows, channels, groups=1, kernel=1):
    return Layer("conv", "Conv", "weight", None, "x", "y", rows, channels * kernel**2, 49, groups=groups, kernel=(kernel, kernel))


def test_rectangles_are_ranked_by_their_sum():
    saliency = np.array([[1, 1, 5, 0], [1, 1, 0, 0], [2, 0, 1, 1], [0, 1, 1, 3]], np.float32)  # sums 4 5 / 3 6
    expected = np.kron([[0, 1], [0, 1]], np.ones((2, 2))).astype(bool)
    np.testing.assert_array_equal(Tile(2, 2).mask(saliency, 0.5), expected)


@pytest.mark.parametrize(
    ("layer", "reason"),
    [
        (conv(1001, 64), "1001 rows are not a multiple of 16"),
        (conv(64, 24), "24 in-channels are not a multiple of 16"),
        (conv(64, 24, kernel=2), "24 in-channels are not a multiple of 16"),
        (conv(48, 16, groups=2), "24 rows a group are not a multiple of 16"),
        (conv(16, 16), "the layer is a single block of 16x16"),
    ],
)
def test_refusals_give_the_numbers(layer, reason):
    assert Tile(16, 16).fits(layer).reason == reason


def test_a_block_stays_within_a_tap():
    assert Tile(16, 16).fits(conv(32, 16, kernel=3)) and not Tile(16, 16).fits(conv(32, 8, kernel=3))


def test_a_torn_rectangle_is_refused():
    mask = np.ones((32, 32), bool)
    mask[0, 0] = False
    assert not Tile(16, 16).check(mask)
