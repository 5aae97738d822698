"""Rows in an order that suits blocks."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spcompile.ir.layers import find_layers, weight
from spcompile.ir.session import run
from spcompile.patterns import parse
from spcompile.pruning import Calibration, calibration_from
from spcompile.pruning.permutation import order_of, permuted
from tests.pruning.samples import images, network


def lost(saliency: np.ndarray, rows: int, sparsity: float) -> float:
    mask = parse(f"block{rows}x1").mask(saliency, sparsity)
    return float((saliency * ~mask).sum() / saliency.sum())


def planted(groups: int, size: int, columns: int, seed: int) -> np.ndarray:
    """Rows of a group have the same half of the columns large; rows lie in random order."""
    rng = np.random.default_rng(seed)
    wanted = np.repeat([rng.permutation(columns) < columns // 2 for _ in range(groups)], size, axis=0)
    return (wanted + 0.01 * rng.random(wanted.shape))[rng.permutation(groups * size)]


@pytest.mark.parametrize("size", [2, 4, 8])
def test_rows_that_want_the_same_columns_become_neighbours(size):
    saliency = planted(8, size, 32, seed=size)
    assert lost(saliency[order_of(saliency)], size, 0.5) < 0.02 < lost(saliency, size, 0.5)


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 24), st.integers(1, 12), st.integers(0, 99))
def test_any_matrix_gets_an_order(rows, columns, seed):
    saliency = np.random.default_rng(seed).random((rows, columns))
    order = order_of(saliency)
    assert sorted(order.tolist()) == list(range(rows))
    if rows % 2:
        np.testing.assert_array_equal(order, np.arange(rows))


def test_silent_rows_do_no_harm():
    assert sorted(order_of(np.zeros((8, 4))).tolist()) == list(range(8))


@pytest.mark.parametrize("data", [True, False])
def test_a_network_computes_the_same_and_its_blocks_lose_less(data):
    model = network(zeros=0.3)
    better = permuted(model, calibration_from(images(), model) if data else None)
    feeds = {"image": images(4, seed=5)}
    np.testing.assert_allclose(run(better, feeds)["scores"], run(model, feeds)["scores"], rtol=1e-4, atol=1e-5)

    def lost_of_all(of) -> float:
        return sum(lost(weight(of, layer).astype(np.float64) ** 2, 4, 0.5) for layer in find_layers(of) if layer.name in ("first", "point", "last"))

    assert lost_of_all(better) < lost_of_all(model)


@pytest.mark.parametrize("value", [0.0, 1e30, np.nan])
def test_constant_or_overflowing_data_give_an_order_all_the_same(value):
    model, feeds = network(), {"image": np.full((4, 3, 12, 12), value, np.float32)}
    better = permuted(model, Calibration(feeds, "made up"))
    for layer in find_layers(model):
        np.testing.assert_array_equal(np.sort(weight(better, layer), axis=None), np.sort(weight(model, layer), axis=None))


def test_the_order_is_the_same_every_time():
    model = network()
    first, second = (permuted(model, calibration_from(images(), model)) for _ in range(2))
    for layer in find_layers(model):
        np.testing.assert_array_equal(weight(first, layer), weight(second, layer))
