import numpy as np

from spcompile.ir.layer import Layer
from spcompile.patterns.channel import Channel


def test_drops_the_rows_of_least_total_saliency():
    saliency = np.array([[1, 1, 1], [0, 0, 9], [2, 0, 0], [3, 3, 3]], np.float32)
    np.testing.assert_array_equal(Channel().mask(saliency, 0.5), np.array([[0] * 3, [1] * 3, [0] * 3, [1] * 3], bool))


def test_few_rows_offer_the_shares_they_really_have():
    assert Channel().sparsities(Layer("fc", "Gemm", "weight", None, "x", "y", 4, 10, 1)) == (0.25, 0.5, 0.75)


def test_one_row_is_refused():
    assert Channel().fits(Layer("fc", "Gemm", "weight", None, "x", "y", 1, 10, 1)).reason == "the layer has a single row"


def test_a_row_kept_in_part_is_refused():
    assert Channel().check(np.array([[True, True], [True, False]])).reason == "1 of 2 units of 1x2 weights are kept in part"
