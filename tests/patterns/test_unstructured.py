import numpy as np

from spcompile.ir.layer import Layer
from spcompile.patterns.unstructured import Unstructured


def test_ranks_over_the_whole_matrix():
    saliency = np.array([[1, 2, 3], [7, 8, 9]], np.float32)
    np.testing.assert_array_equal(Unstructured().mask(saliency, 0.5), np.array([[0, 0, 0], [1, 1, 1]], bool))


def test_of_equals_the_first_go():
    np.testing.assert_array_equal(Unstructured().mask(np.ones((2, 3)), 0.5), np.array([[0, 0, 0], [1, 1, 1]], bool))


def test_large_layers_offer_round_levels():
    assert Unstructured().sparsities(Layer("fc", "Gemm", "weight", None, "x", "y", 64, 576, 1)) == Unstructured().levels


def test_a_single_weight_is_refused():
    assert Unstructured().fits(Layer("fc", "Gemm", "weight", None, "x", "y", 1, 1, 1)).reason == "the layer is a single weight"
