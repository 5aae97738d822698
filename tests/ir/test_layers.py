import numpy as np
import onnx_ir as ir
import pytest

from spcompile.errors import PatternError
from spcompile.ir.layers import bias, find_layers, shared_weights, weight, with_weights
from spcompile.ir.session import run

GENERATOR = np.random.default_rng(0)


def _random(*shape: int) -> np.ndarray:
    return GENERATOR.normal(size=shape).astype(np.float32)


TEXT = """g (float[2,4,9,8] x, float[2,5,6] t) => (float[2,6,5,4] y, float[2,7] z, float[2,5,3] u)
{ [depthwise] d = Conv<group=4, pads=[1,1,1,1]>(x, w1)
  [strided] y = Conv<group=2, kernel_shape=[3,3], strides=[2,2], dilations=[1,1], pads=[1,1,1,1]>(d, w2, b2)
  p = GlobalAveragePool(y)  f = Flatten(p)  [dense] z = Gemm<transB=1>(f, w3, b3)
  [linear] l = MatMul(t, w4)  a = Add(b4, l)  [product] q = MatMul(a, a2)  [last] u = MatMul(a, w5) }"""
ARRAYS = {
    "w1": _random(4, 1, 3, 3),
    "w2": _random(6, 2, 3, 3),
    "b2": _random(6),
    "w3": _random(7, 6),
    "b3": _random(7),
    "w4": _random(6, 6),
    "b4": _random(6),
    "w5": _random(6, 3),
    "a2": _random(2, 6, 4),
}


@pytest.fixture(scope="module")
def model(build) -> ir.Model:
    from spcompile.passes import prepare

    return prepare(build(TEXT, **ARRAYS))


@pytest.fixture(scope="module")
def layers(model) -> dict:
    return {layer.name: layer for layer in find_layers(model)}


def test_finds_them_in_graph_order(layers):
    assert list(layers) == ["depthwise", "strided", "dense", "linear", "last"]
    assert [layer.bias for layer in layers.values()] == [None, "b2", "b3", "b4", None]
    assert [(layer.rows, layer.columns, layer.positions) for layer in layers.values()] == [(4, 9, 144), (6, 18, 40), (7, 6, 2), (6, 6, 10), (3, 6, 10)]


def test_convolutions_carry_their_geometry(layers):
    layer = layers["strided"]
    assert (layer.groups, layer.kernel, layer.strides, layer.dilations, layer.pads) == (2, (3, 3), (2, 2), (1, 1), (1, 1, 1, 1))
    assert (layer.input, layer.output, layer.weight) == ("d", "y", "w2")
    assert layers["depthwise"].depthwise


@pytest.mark.parametrize("name", ["dense", "linear", "last"])
def test_the_matrix_multiplies_the_input(model, layers, name):
    layer = layers[name]
    feeds = {"x": _random(2, 4, 9, 8), "t": _random(2, 5, 6)}
    found = run(model, feeds, [layer.input, layer.output])
    expected = found[layer.input] @ weight(model, layer).T + (bias(model, layer) if layer.op_type == "Gemm" else 0)
    np.testing.assert_allclose(found[layer.output], expected, rtol=1e-4, atol=1e-5)


def test_the_matrix_of_a_convolution_has_in_channels_neighbouring(model, layers):
    matrix = weight(model, layers["strided"])
    assert matrix.shape == (6, 18)
    np.testing.assert_array_equal(matrix[5, 3 * 2 + 1], ARRAYS["w2"][5, 1, 1, 0])  # tap 3 = row 1, column 0; in-channel 1


def test_what_is_written_is_read_back(model, layers, assert_equal_outputs):
    same = with_weights(model, {name: weight(model, layer) for name, layer in layers.items()}, {name: bias(model, layer) for name, layer in layers.items()})
    assert_equal_outputs(model, same)
    biases = {name: _random(layer.rows) for name, layer in layers.items()}
    matrices = {name: _random(layer.rows, layer.columns) * (_random(layer.rows, layer.columns) > 0) * -1 for name, layer in layers.items()}
    written = with_weights(model, matrices, biases)
    found = {layer.name: layer for layer in find_layers(written)}
    for name, layer in found.items():
        np.testing.assert_array_equal(weight(written, layer), matrices[name])
        np.testing.assert_array_equal(bias(written, layer), biases[name])
        assert not np.signbit(weight(written, layer)[matrices[name] == 0]).any()


@pytest.mark.parametrize("name", ["depthwise", "dense", "linear", "last"])
def test_a_new_bias_adds_to_the_outputs(model, layers, name):
    layer = layers[name]
    shift = _random(layer.rows)
    written = with_weights(model, {}, {name: bias(model, layer) + shift})
    feeds = {"x": _random(2, 4, 9, 8), "t": _random(2, 5, 6)}
    place = {"depthwise": "d", "dense": "z", "linear": "a", "last": "u"}[name]
    difference = run(written, feeds, [place])[place] - run(model, feeds, [place])[place]
    np.testing.assert_allclose(difference, np.broadcast_to(shift.reshape(-1, 1, 1) if name == "depthwise" else shift, difference.shape), atol=1e-5)


def test_the_model_given_is_not_changed(model, layers):
    before = ir.to_onnx_text(model)
    with_weights(model, {name: np.zeros((layer.rows, layer.columns)) for name, layer in layers.items()}, {"last": np.ones(3)})
    assert ir.to_onnx_text(model) == before


SHARED = "g (float[2,3] x) => (float[2,3] y) { [a] p = MatMul(x, w)  [b] q = MatMul(p, w)  [c] r = Gemm(q, v, s)  [d] y = Gemm(r, k, s) }"


def test_layers_that_share_a_weight_change_together(build):
    model = build(SHARED, w=_random(3, 3), v=_random(3, 3), k=_random(3, 3), s=_random(3))
    model = ir.passes.common.ShapeInferencePass()(model).model
    assert shared_weights(find_layers(model)) == {"w": ("a", "b")}
    one, other = _random(3, 3), _random(3, 3)
    for wrong in ({"a": one}, {"a": one, "b": other}):
        with pytest.raises(PatternError, match="layers a, b share the weight 'w'"):
            with_weights(model, wrong)
    written = with_weights(model, {"a": one, "b": one}, {"c": one[0]})
    assert shared_weights(find_layers(written)) == {"w": ("a", "b")}
    layers = {layer.name: layer for layer in find_layers(written)}
    np.testing.assert_array_equal(weight(written, layers["b"]), one)
    np.testing.assert_array_equal(bias(written, layers["c"]), one[0])
    np.testing.assert_array_equal(bias(written, layers["d"]), bias(model, layers["d"]))  # the bias they shared is d's alone now


def test_an_embedding_keeps_its_table(build):
    text = "g (int64[2] i, float[2,3] x) => (float[2,3] e, float[2,4] y) { e = Gather(w, i)  [head] y = Gemm<transB=1>(x, w) }"
    model = ir.passes.common.ShapeInferencePass()(build(text, w=_random(4, 3))).model
    written = with_weights(model, {"head": np.zeros((4, 3))})
    feeds = {"i": np.array([1, 3]), "x": _random(2, 3)}
    found = run(written, feeds)
    assert not found["y"].any()
    np.testing.assert_array_equal(found["e"], run(model, feeds)["e"])


@pytest.mark.parametrize(
    ("node", "shape", "weight_shape"),
    [
        ("Conv(x, w)", "1,3,3", (3, 3, 1)),
        ("MatMul(w, x)", "3,3", (3, 3)),
        ("MatMul(x, x)", "3,3", (3, 3)),
        ("Gemm(x, w, x)", "3,3", (3, 3)),
        ("test.Conv(x, w)", "1,3,3,3", (3, 3, 1, 1)),
    ],
    ids=["one_dimension", "constant_on_the_left", "no_constant", "computed_bias", "other_domain"],
)
def test_what_is_not_a_layer(build, node, shape, weight_shape):
    model = build(f"g (float[{shape}] x) => (float[{shape}] y) {{ y = {node} }}", w=_random(*weight_shape))
    assert find_layers(model) == ()
