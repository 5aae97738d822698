"""Channels in another order: which may move, and that nothing else changes."""

import numpy as np
import onnx
import onnx_ir as ir
import pytest

from spcompile.ir.layers import find_layers, weight
from spcompile.ir.session import run
from spcompile.passes import prepare
from spcompile.pruning.channels import free_channels, reordered
from tests.pruning.samples import images, network

HEADER = '<ir_version: 10, opset_import: ["" : 18]>\n'


def made(text: str, shapes: dict[str, tuple[int, ...]], seed: int = 0) -> ir.Model:
    rng, proto = np.random.default_rng(seed), onnx.parser.parse_model(HEADER + text)
    proto.graph.initializer.extend(onnx.numpy_helper.from_array(rng.standard_normal(shape).astype(np.float32), name) for name, shape in shapes.items())
    return prepare(ir.from_proto(proto))


def shuffled(model: ir.Model, seed: int = 0) -> ir.Model:
    rng = np.random.default_rng(seed)
    return reordered(model, [(found, rng.permutation(found.count)) for found in free_channels(model)])


def names(layers) -> list[str]:
    return sorted(layer.name for layer in layers)


def test_a_residual_network_has_one_order_for_all_that_is_added():
    stem, last = free_channels(network())
    assert (names(stem.writers), names(stem.carriers), names(stem.readers)) == (["first", "point"], ["deep"], ["last", "point"])
    assert (names(last.writers), names(last.readers), last.count) == (["last"], ["head"], 16)


@pytest.mark.parametrize("seed", range(4))
def test_another_order_computes_the_same(seed):
    model, feeds = network(seed), {"image": images(4)}
    moved = shuffled(model, seed)
    np.testing.assert_allclose(run(moved, feeds)["scores"], run(model, feeds)["scores"], rtol=1e-4, atol=1e-5)
    for layer in find_layers(model):
        before, after = weight(model, layer), weight(moved, layer)
        assert layer.name == "head" or not np.array_equal(before, after), "every layer but the last one has new rows"
        np.testing.assert_array_equal(np.sort(before, axis=None), np.sort(after, axis=None))


def test_the_model_given_is_left_alone():
    model = network()
    before = [weight(model, layer).copy() for layer in find_layers(model)]
    shuffled(model)
    for layer, array in zip(find_layers(model), before, strict=True):
        np.testing.assert_array_equal(weight(model, layer), array)


def test_constants_with_a_number_for_each_channel_move_along():
    model = made(
        """g (float[2, 6, 4] x) => (float[2, 6, 4] y)
        { h = MatMul (x, up)  b = Add (h, bias)  s = Mul (b, slope)  r = Relu (s)  y = MatMul (r, down) }""",
        {"up": (4, 8), "bias": (8,), "slope": (1, 1, 8), "down": (8, 4)},
    )
    (hidden,) = free_channels(model)
    assert hidden.count == 8 and len(hidden.constants) == 2
    x = np.random.default_rng(1).standard_normal((2, 6, 4)).astype(np.float32)
    np.testing.assert_allclose(run(shuffled(model), {"x": x})["y"], run(model, {"x": x})["y"], rtol=1e-4, atol=1e-5)


def test_a_factor_for_each_channel_of_an_image_shares_its_order():
    """Squeeze and excite: [1, C, 1, 1] times [1, C, H, W]."""
    model = made(
        """g (float[1, 3, 6, 6] x) => (float[1, 2, 6, 6] y)
        { [in] a = Conv (x, w0)  m = GlobalAveragePool (a)  [squeeze] s = Conv (m, w1)  t = Relu (s)  [excite] e = Conv (t, w2)
          f = Sigmoid (e)  z = Mul (a, f)  [out] y = Conv (z, w3) }""",
        {"w0": (8, 3, 1, 1), "w1": (4, 8, 1, 1), "w2": (8, 4, 1, 1), "w3": (2, 8, 1, 1)},
    )
    found = {found.count: found for found in free_channels(model)}
    assert names(found[8].writers) == ["excite", "in"] and names(found[8].readers) == ["out", "squeeze"] and names(found[4].writers) == ["squeeze"]
    x = np.random.default_rng(1).standard_normal((1, 3, 6, 6)).astype(np.float32)
    np.testing.assert_allclose(run(shuffled(model), {"x": x})["y"], run(model, {"x": x})["y"], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    "between",
    [
        "z = Concat <axis = 1> (a, x)",
        "z = Transpose <perm = [0, 2, 1, 3]> (a)",
        "z = Softmax <axis = 1> (a)",
        "z = Pad (a, pads)",
        "z = Add (a, x)",
        "m = ReduceMax <keepdims = 1> (a, one)  z = Sub (a, m)",
    ],
)
def test_whatever_depends_on_the_order_fixes_it(between):
    """The inputs of the first layer, the outputs of the last, and what lies between."""
    model = made(
        f"g (float[1, 8, 8, 8] x) => (float[1, 4, 8, 8] y) <int64[8] pads = {{0, 0, 0, 0, 0, 0, 0, 0}}, int64[1] one = {{1}}>"
        f"{{ [in] a = Conv (x, w0) {between} [out] y = Conv (z, w1) }}",
        {"w0": (8, 8, 1, 1), "w1": (4, 16 if "Concat" in between else 8, 1, 1)},
    )
    moving = [name for found in free_channels(model) for name in names(found.writers)]
    assert moving == (["in"] if "Pad" in between else []), "a pad of nothing is no pad"


def test_layers_that_share_a_weight_and_grouped_ones_stay():
    shared = made(
        "g (float[2, 4] x) => (float[2, 4] y) { a = Relu (x) [one] b = MatMul (a, w)  c = Relu (b)  [two] y = MatMul (c, w) }",
        {"w": (4, 4)},
    )
    grouped = made(
        "g (float[1, 8, 4, 4] x) => (float[1, 4, 4, 4] y) { [in] a = Conv (x, w0)  [groups] b = Conv <group = 2> (a, w1)  [out] y = Conv (b, w2) }",
        {"w0": (8, 8, 1, 1), "w1": (8, 4, 1, 1), "w2": (4, 8, 1, 1)},
    )
    assert free_channels(shared) == () and free_channels(grouped) == ()
