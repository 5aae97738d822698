"""Layer levels against the paper's formula and the level of the whole."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spcompile.errors import PatternError
from spcompile.ir.layer import Layer
from spcompile.ir.layers import find_layers
from spcompile.patterns import parse
from spcompile.pruning import Random, erdos_renyi_kernel, prune
from tests.pruning.samples import network

UNSTRUCTURED = parse("unstructured")


def conv(name: str, inward: int, outward: int, kernel: int) -> Layer:
    return Layer(name, "Conv", "w", None, "x", "y", outward, inward * kernel**2, 1, kernel=(kernel, kernel))


def linear(name: str, inward: int, outward: int) -> Layer:
    return Layer(name, "Gemm", "w", None, "x", "y", outward, inward, 1)


def zeros(layers, choices) -> float:
    sizes = {layer.name: layer.rows * layer.columns for layer in layers}
    return sum(sizes[name] * choice.sparsity for name, choice in choices.items()) / sum(sizes.values())


def test_densities_follow_the_formula():
    """1 - s_l = e (in + out + high + wide) / (in out high wide) with one e for all, worked out by hand."""
    layers = (conv("a", 64, 64, 3), conv("b", 64, 128, 3), linear("c", 128, 100))
    found = erdos_renyi_kernel(layers, UNSTRUCTURED, 0.9)
    sizes, sums = np.array([64 * 64 * 9, 64 * 128 * 9, 128 * 100]), np.array([64 + 64 + 6, 64 + 128 + 6, 128 + 100])
    scale = 0.1 * sizes.sum() / sums.sum()
    np.testing.assert_allclose([found[name].density for name in "abc"], scale * sums / sizes, rtol=1e-9)


def test_a_layer_that_would_be_more_than_dense_is_dense():
    layers = (conv("small", 3, 16, 3), conv("large", 64, 64, 3))
    found = erdos_renyi_kernel(layers, UNSTRUCTURED, 0.5)
    assert found.keys() == {"large"}
    assert zeros(layers, found) == pytest.approx(0.5)


@given(st.lists(st.tuples(st.integers(1, 64), st.integers(2, 64), st.sampled_from([1, 3, 5])), min_size=1, max_size=8), st.floats(0, 0.99))
@settings(max_examples=100, deadline=None)
def test_the_level_of_the_whole_is_met(shapes, sparsity):
    layers = [conv(str(at), *shape) for at, shape in enumerate(shapes)]
    found = erdos_renyi_kernel(layers, UNSTRUCTURED, sparsity)
    assert zeros(layers, found) == pytest.approx(sparsity, abs=1e-9)
    assert all(0 <= choice.sparsity < 1 for choice in found.values())


def test_layers_that_cannot_are_left_out_and_the_others_are_pruned():
    model = network()
    layers = find_layers(model)
    choices = erdos_renyi_kernel(layers, UNSTRUCTURED, 0.7)
    assert "deep" not in choices, "depthwise"
    masks = prune(model, choices, pruner=Random()).masks
    fitting = sum(layer.rows * layer.columns for layer in layers if UNSTRUCTURED.fits(layer))
    assert sum((~mask).sum() for mask in masks.values()) / fitting == pytest.approx(0.7, abs=0.01)


@pytest.mark.parametrize(("notation", "sparsity"), [("2:4", 0.5), ("dense", 0.0), ("unstructured", 1.0), ("unstructured", -0.1)])
def test_levels_that_cannot_be_shared_out(notation, sparsity):
    with pytest.raises(PatternError, match=f"cannot be chosen for {notation} at"):
        erdos_renyi_kernel([conv("a", 8, 8, 3)], parse(notation), sparsity)
