import numpy as np
import pytest

from spcompile.ir.layers import find_layers, shared_weights
from spcompile.passes import prepare

GENERATOR = np.random.default_rng(0)


def numbers(*shape: int) -> np.ndarray:
    return GENERATOR.normal(size=shape).astype(np.float32)


def types(model) -> list[str]:
    return [node.op_type for node in model.graph]


@pytest.mark.parametrize(
    "window",
    [
        "Conv<pads=[1,2], strides=[2], dilations=[2], kernel_shape=[3]>(x, w, b)",
        'Conv<auto_pad="SAME_UPPER", strides=[2]>(x, w)',
        "Conv<group=2>(x, v)",
        "MaxPool<kernel_shape=[3], strides=[2], pads=[1,1], ceil_mode=1>(x)",
        "AveragePool<kernel_shape=[4], strides=[3], count_include_pad=1, pads=[2,1]>(x)",
    ],
)
def test_windows_of_a_line(build, assert_equal_outputs, window):
    model = build(f"g (float[2,4,17] x) => (float[n,c,l] y) {{ y = {window} }}", w=numbers(6, 4, 3), b=numbers(6), v=numbers(6, 2, 3))
    prepared = prepare(model)
    assert types(prepared) == ["Unsqueeze", window.partition("<")[0], "Squeeze"]
    assert_equal_outputs(model, prepared)


def test_layers_stay_side_by_side(build, assert_equal_outputs):
    text = """g (float[1,4,12] x) => (float[n,c,l] y) { a = Conv<pads=[1,1]>(x, w, b)  r = Relu(a)  c = Conv<pads=[1,1]>(r, v)
    d = BatchNormalization(c, gamma, beta, mean, var)  e = PRelu(d, slope)  f = Add(e, a)  g = Mul(f, scale)  y = Concat<axis=1>(g, r) }"""
    norm = {"gamma": numbers(6), "beta": numbers(6), "mean": numbers(6), "var": numbers(6) ** 2}
    model = build(text, w=numbers(6, 4, 3), b=numbers(6), v=numbers(6, 6, 3), slope=numbers(6, 1), scale=numbers(1, 1, 12), **norm)
    prepared = prepare(model)
    assert types(prepared) == ["Unsqueeze", "Conv", "Relu", "Conv", "PRelu", "Add", "Mul", "Concat", "Squeeze"]
    assert_equal_outputs(model, prepared)


def test_what_tells_the_last_axis_apart_reads_a_line(build, assert_equal_outputs):
    text = "g (float[1,4,12] x) => (float[n,c,l] y) { a = Conv(x, w)  s = Softmax<axis=-1>(a)  c = Concat<axis=-1>(s, a)  y = MatMul(c, m) }"
    model = build(text, w=numbers(6, 4, 3), m=numbers(20, 5))
    prepared = prepare(model)
    assert types(prepared) == ["Unsqueeze", "Conv", "Squeeze", "Softmax", "Concat", "MatMul"]
    assert_equal_outputs(model, prepared)


def test_layers_that_share_a_weight_go_on_sharing(build, assert_equal_outputs):
    model = build("g (float[1,4,12] x) => (float[n,c,l] y) { a = Conv<pads=[1,1]>(x, w)  r = Relu(a)  y = Conv<pads=[1,1]>(r, w) }", w=numbers(4, 4, 3))
    prepared = prepare(model)
    assert list(map(len, shared_weights(find_layers(prepared)).values())) == [2]
    assert_equal_outputs(model, prepared)


def test_an_output_in_between_keeps_its_name_and_shape(build, assert_equal_outputs):
    model = build("g (float[1,4,12] x) => (float[1,4,10] y, float[1,4,10] z) { y = Conv(x, w)  z = Relu(y) }", w=numbers(4, 4, 3))
    prepared = prepare(model)
    assert [(value.name, value.shape.numpy()) for value in prepared.graph.outputs] == [("y", (1, 4, 10)), ("z", (1, 4, 10))]
    assert_equal_outputs(model, prepared)


def test_computed_weights_are_left_alone(build):
    model = build("g (float[1,4,12] x, float[2,4,3] w) => (float[1,2,10] y) { y = Conv(x, w) }")
    assert types(prepare(model)) == ["Conv"]
