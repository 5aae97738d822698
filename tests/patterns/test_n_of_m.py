import numpy as np
import pytest

from spcompile.ir.layer import Layer
from spcompile.patterns.n_of_m import NOfM


def test_keeps_the_best_n_of_every_m_columns_of_each_row():
    saliency = np.array([[1, 2, 3, 4, 9, 8, 7, 6], [5, 5, 5, 5, 0, 1, 0, 1]], np.float32)
    expected = [[0, 0, 1, 1, 1, 1, 0, 0], [0, 0, 1, 1, 0, 1, 0, 1]]
    np.testing.assert_array_equal(NOfM(2, 4).mask(saliency, 0.5), np.array(expected, bool))


@pytest.mark.parametrize(("kept", "of", "sparsity"), [(2, 4, 0.5), (1, 4, 0.75), (2, 8, 0.75), (4, 8, 0.5)])
def test_n_counts_what_stays(kept, of, sparsity):
    assert NOfM(kept, of).fixed_sparsity == sparsity
    assert NOfM(kept, of).mask(np.random.default_rng(0).random((3, 16)), sparsity).sum() == 3 * 16 * kept // of


def test_groups_never_straddle_taps():
    # 10 in-channels x 4 taps = 40 columns: a multiple of 8, but only across taps
    layer = Layer("conv", "Conv", "weight", None, "x", "y", 16, 10 * 4, 49, kernel=(2, 2))
    assert layer.columns % 8 == 0
    assert NOfM(2, 8).fits(layer).reason == "10 in-channels are not a multiple of 8"
    grouped = Layer("conv", "Conv", "weight", None, "x", "y", 16, 6 * 9, 49, kernel=(3, 3), groups=2)
    assert NOfM(2, 4).fits(grouped).reason == "6 in-channels a group are not a multiple of 4"
    assert NOfM(2, 4).fits(Layer("conv", "Conv", "weight", None, "x", "y", 16, 12 * 9, 49, kernel=(3, 3)))


def test_a_crowded_group_is_refused_and_a_sparser_one_is_welcome():
    mask = np.array([[1, 1, 1, 0, 1, 0, 0, 0]], bool)
    assert NOfM(2, 4).check(mask).reason == "1 of 2 groups of 4 keep more than 2"
    mask[0, 0] = False
    assert NOfM(2, 4).check(mask)
    assert NOfM(2, 4).check(np.ones((2, 6), bool)).reason == "6 columns are not a multiple of 4"


def test_another_level_is_our_mistake():
    with pytest.raises(AssertionError, match="one level"):
        NOfM(2, 4).mask(np.ones((1, 4)), 0.75)
