"""Networks with their channels in an order that suits a pattern."""

import numpy as np
import pytest

from spcompile.ir.layers import find_layers, weight
from spcompile.ir.session import run
from spcompile.patterns import parse_patterns
from spcompile.pruning import Calibration, calibration_from, permuted
from tests.pruning.samples import images, network
from tests.pruning.test_orders import lost

PATTERNS = ("block4x1", "2:4", "balanced16", "block16x16,2:4,channel")
SILENT = ("unstructured", "dense,channel")


@pytest.mark.parametrize(
    ("patterns", "judged", "layers", "data"),
    [
        ("block4x1", "block4x1", ("first", "point", "last"), True),
        ("block4x1", "block4x1", ("first", "point", "last"), False),
        ("2:4,1:4", "2:4", ("point", "last", "head"), False),  # with data other weights count: those of large inputs
    ],
)
def test_a_network_computes_the_same_and_loses_less(patterns, judged, layers, data):
    model = network(zeros=0.3)
    better = permuted(model, parse_patterns(patterns), calibration_from(images(), model) if data else None)
    feeds = {"image": images(4, seed=5)}
    np.testing.assert_allclose(run(better, feeds)["scores"], run(model, feeds)["scores"], rtol=1e-4, atol=1e-5)

    def lost_of_all(of) -> float:
        return sum(lost(weight(of, layer).astype(np.float64) ** 2, judged, 0.5) for layer in find_layers(of) if layer.name in layers)

    assert lost_of_all(better) < lost_of_all(model)


@pytest.mark.parametrize("value", [0.0, 1e30, np.nan])
@pytest.mark.parametrize("patterns", PATTERNS)
def test_constant_or_overflowing_data_give_an_order_all_the_same(value, patterns):
    model, feeds = network(), {"image": np.full((4, 3, 12, 12), value, np.float32)}
    better = permuted(model, parse_patterns(patterns), Calibration(feeds, "made up"))
    for layer in find_layers(model):
        np.testing.assert_array_equal(np.sort(weight(better, layer), axis=None), np.sort(weight(model, layer), axis=None))


def columns_of_head(patterns: str) -> np.ndarray:
    """[groups of four, rows, 4], the groups in an order of their own."""
    layer = next(layer for layer in find_layers(network()) if layer.name == "head")
    matrix = weight(permuted(network(), parse_patterns(patterns)), layer)
    groups = matrix.reshape(layer.rows, -1, 4).transpose(1, 0, 2)
    return groups[np.argsort(groups[:, 0, 0])]


@pytest.mark.parametrize(
    ("patterns", "alone"), [("block8x1,2:4", "2:4"), ("block16x16,2:4,1:4,2:8", "2:4"), ("4:8,block4x1", "block4x1"), ("block2x1,2:4", "block2x1")]
)
def test_the_smallest_neighbourhoods_go_first(patterns, alone):
    np.testing.assert_array_equal(columns_of_head(patterns), columns_of_head(alone))


@pytest.mark.parametrize("patterns", SILENT)
def test_patterns_that_ask_for_no_order_leave_the_network_as_it_is(patterns):
    model = network()
    assert permuted(model, parse_patterns(patterns)) is model


@pytest.mark.parametrize("patterns", PATTERNS)
def test_the_order_is_the_same_every_time(patterns):
    model = network()
    first, second = (permuted(model, parse_patterns(patterns), calibration_from(images(), model)) for _ in range(2))
    for layer in find_layers(model):
        np.testing.assert_array_equal(weight(first, layer), weight(second, layer))
