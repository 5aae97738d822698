import numpy as np
import pytest

from spcompile.errors import ModelError
from spcompile.ir.layers import find_layers
from spcompile.passes import prepare

CONV = "g (float[1,3,5,5] x) => (float[1,4,5,5] y) { c = Conv(x, w, b)  n = BatchNormalization(c, gamma, beta, mean, var)  y = Relu(n) }"
GEMM = "g (float[2,3] x) => (float[2,4] y) { h = Gemm(x, w, b)  y = Softmax(h) }"
MATMUL = "g (float[2,5,3] x) => (float[2,5,4] y) { h = MatMul(x, w)  a = Add(h, b)  y = Relu(a) }"
TURNED = "g (float[2,5,3] x) => (float[2,5,4] y) { t = Transpose(w)  h = MatMul(x, t)  a = Add(b, h)  y = Relu(a) }"
OTHERS = """g (float[2,3,4] x) => (float[2,3,4] y) { n = LayerNormalization(x, gamma, beta)  p = PRelu(n, slope)  h = MatMul(p, w)  y = Relu(h) }"""
MASKED = "g (float[2,3] x) => (float[2,4] y) { h = Gemm(x, w)  m = Add(h, mask)  y = Softmax(m) }"
SHAPES = {
    CONV: {"w": (4, 3, 1, 1), **dict.fromkeys(("b", "gamma", "beta", "mean", "var"), (4,))},
    GEMM: {"w": (3, 4), "b": (4,)},
    MATMUL: {"w": (3, 4), "b": (4,)},
}
SHAPES |= {TURNED: {"w": (4, 3), "b": (4,)}, OTHERS: {"w": (4, 4), "gamma": (4,), "beta": (4,), "slope": (1,)}, MASKED: {"w": (3, 4), "mask": (4,)}}


@pytest.fixture
def model(build):
    def model(text: str, **broken: float):
        """Ones everywhere, but for the first number of some arrays."""
        arrays = {name: np.ones(shape, np.float32) for name, shape in SHAPES[text].items()}
        for name, number in broken.items():
            arrays[name].flat[0] = number
        return build(text, **arrays)

    return model


@pytest.mark.parametrize(("text", "name"), [(text, name) for text, arrays in SHAPES.items() if text != MASKED for name in arrays])
def test_nan_in_any_parameter_is_refused_by_its_name(model, text, name):
    with pytest.raises(ModelError, match=rf"^initializer '{name}' holds NaN or infinity; ") as caught:
        prepare(model(text, **{name: np.nan}))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("infinity", [np.inf, -np.inf])
@pytest.mark.parametrize(("text", "name"), [(CONV, "w"), (CONV, "b"), (CONV, "gamma"), (CONV, "beta"), (GEMM, "w"), (GEMM, "b"), (MATMUL, "w")])
def test_infinity_in_a_layer_is_refused_by_its_name(model, text, name, infinity):
    with pytest.raises(ModelError, match=rf"^initializer '{name}' holds NaN or infinity; "):
        prepare(model(text, **{name: infinity}))


@pytest.mark.parametrize(("text", "name"), [(MATMUL, "b"), (TURNED, "b"), (TURNED, "w")])
def test_infinity_that_a_layer_takes_over_is_refused(model, text, name):
    with pytest.raises(ModelError, match=r"^initializer '.*' holds NaN or infinity; "):
        prepare(model(text, **{name: np.inf}))


@pytest.mark.parametrize("text", [MASKED, MASKED.replace("Gemm", "MatMul")])
def test_a_mask_behind_a_layer_stays_one(build, assert_equal_outputs, text):
    """Words that must never be chosen: no bias, which the layer could be asked to change."""
    rng = np.random.default_rng(0)
    model = build(text, w=rng.standard_normal((3, 4)).astype(np.float32), mask=np.array([0, -np.inf, 0.5, 0], np.float32))
    prepared = prepare(model)
    assert [layer.bias for layer in find_layers(prepared)] == [None] and [node.op_type for node in prepared.graph][1:] == ["Add", "Softmax"]
    assert_equal_outputs(model, prepared)


def test_a_single_number_may_be_nan(build):
    """Pixels without a depth are given as NaN."""
    text = "g (float[2,3] x) => (float[2,3] y) { far = Greater(x, zero)  y = Where(far, x, none) }"
    assert prepare(build(text, zero=np.array(0, np.float32), none=np.array(np.nan, np.float32))).graph.initializers["none"]


def test_an_attention_mask_of_infinity_is_taken(build, assert_equal_outputs):
    mask = np.triu(np.full((4, 4), -np.inf, np.float32), 1)
    text = "g (float[1,4,3] x) => (float[1,4,3] y) { t = Transpose<perm=[0,2,1]>(x)  s = MatMul(x, t)  m = Add(s, mask)  p = Softmax(m)  y = MatMul(p, x) }"
    model = build(text, mask=mask)
    assert_equal_outputs(model, prepare(model))
