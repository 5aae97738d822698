import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spcompile.passes import prepare
from spcompile.passes.fold_scale_and_shift import FoldScaleAndShift
from spcompile.passes.infer_shapes import InferShapes

GENERATOR = np.random.default_rng(0)


def _random(*shape: int) -> np.ndarray:
    return GENERATOR.normal(size=shape).astype(np.float32)


STEPS = ["t = Mul({}, {})", "t = Mul({1}, {0})", "t = Add({}, {})", "t = Add({1}, {0})", "t = Sub({}, {})", "t = Sub({1}, {0})", "t = Div({}, {})"]
SHAPES = [(), (1,), (1, 1, 1), (4, 1, 1), (1, 4, 1, 1)]


@given(steps=st.lists(st.tuples(st.sampled_from(STEPS), st.sampled_from(SHAPES)), min_size=1, max_size=4), bias=st.booleans())
@settings(max_examples=25, deadline=None)
def test_any_chain_folds_into_the_convolution(build, assert_equal_outputs, steps, bias):
    lines, value = [f"v0 = Conv(x, w{', b' if bias else ''})"], "v0"
    arrays = {"w": _random(4, 3, 2, 2), "b": _random(4)}
    for index, (step, shape) in enumerate(steps):
        arrays[f"k{index}"] = np.abs(_random(*shape)) + np.float32(0.5)
        lines.append(step.format(value, f"k{index}").replace("t =", f"v{index + 1} ="))
        value = f"v{index + 1}"
    model = build(f"g (float[2,3,5,5] x) => (float[2,4,4,4] y) {{ {' '.join(lines)}  y = Abs({value}) }}", **arrays)
    prepared = prepare(model)
    assert [node.op_type for node in prepared.graph] == ["Conv", "Abs"]
    assert_equal_outputs(model, prepared)


@pytest.mark.parametrize("transposed", [0, 1])
def test_gemm(build, assert_equal_outputs, transposed):
    text = f"g (float[2,3] x) => (float[2,4] y) {{ a = Gemm<transB={transposed}>(x, w)  m = Mul(a, s)  y = Sub(m, t) }}"
    model = build(text, w=_random(4, 3) if transposed else _random(3, 4), s=_random(4), t=_random(1, 4))
    prepared = prepare(model)
    assert [node.op_type for node in prepared.graph] == ["Gemm"]
    assert prepared.graph.outputs[0].name == "y"
    assert_equal_outputs(model, prepared)


def test_zeros_stay_zeros_and_weights_keep_their_name(build):
    weight = _random(4, 3, 1, 1) * (_random(4, 3, 1, 1) > 0)
    model = build("g (float[1,3,5,5] x) => (float[1,4,5,5] y) { c = Conv(x, w)  y = Mul(c, s) }", w=weight, s=_random(4, 1, 1))
    prepared = prepare(model)
    np.testing.assert_array_equal(prepared.graph.initializers["w"].const_value.numpy() == 0, weight == 0)
    assert len(prepared.graph[0].inputs) == 2


@pytest.mark.parametrize(
    ("text", "shape"),
    [
        ("c = Conv(x, w)  m = Mul(c, k)  y = Add(m, c)", (1,)),
        ("c = Conv(x, w)  y = Mul(c, k)", (1, 5)),
        ("c = Conv(x, w)  y = Mul(c, k)", (4, 5, 5)),
        ("c = Conv(x, w)  y = Div(k, c)", (1,)),
        ("c = Conv(x, w)  y = Pow(c, k)", (1,)),
        ("c = Conv(x, w)  y = Mul(c, c)", (1,)),
    ],
    ids=["two_readers", "along_columns", "per_pixel", "reciprocal", "power", "square"],
)
def test_leaves_the_rest_alone(build, text, shape):
    model = build(f"g (float[1,3,5,5] x) => (float[1,4,5,5] y) {{ {text} }}", w=_random(4, 3, 1, 1), k=_random(*shape))
    InferShapes()(model)
    assert not FoldScaleAndShift()(model).modified


def test_an_output_between_is_kept(build):
    model = build("g (float[1,3,5,5] x) => (float[1,4,5,5] c, float[1,4,5,5] y) { c = Conv(x, w)  y = Mul(c, k) }", w=_random(4, 3, 1, 1), k=_random(1))
    InferShapes()(model)
    assert not FoldScaleAndShift()(model).modified


@pytest.mark.parametrize("op", ["Mul", "Add", "Sub"])
def test_zeros_in_a_constant_are_no_division(build, assert_equal_outputs, op):
    model = build(f"g (float[1,3,5,5] x) => (float[1,4,5,5] y) {{ c = Conv(x, w)  y = {op}(c, k) }}", w=_random(4, 3, 1, 1), k=np.zeros((4, 1, 1), np.float32))
    assert_equal_outputs(model, prepare(model))


def test_division_by_zero_is_left_to_run_time(build):
    model = build("g (float[1,3,5,5] x) => (float[1,4,5,5] y) { c = Conv(x, w)  y = Div(c, k) }", w=_random(4, 3, 1, 1), k=np.zeros(1, np.float32))
    InferShapes()(model)
    assert not FoldScaleAndShift()(model).modified


def test_a_shared_weight_keeps_its_value_for_the_other(build, assert_equal_outputs):
    text = "g (float[1,4,5,5] x) => (float[1,4,5,5] y) { a = Conv(x, w)  m = Mul(a, k)  y = Conv(m, w) }"
    model = build(text, w=_random(4, 4, 1, 1), k=_random(4, 1, 1))
    prepared = prepare(model)
    assert [node.op_type for node in prepared.graph] == ["Conv", "Conv"]
    assert_equal_outputs(model, prepared)


@pytest.mark.parametrize("text", ["y = Mul(c, k)", "m = Mul(c, one)  y = Add(m, k)"])
def test_one_channel_that_becomes_several_is_left_alone(build, assert_equal_outputs, text):
    model = build(f"g (float[1,3,5,5] x) => (float[1,4,5,5] y) {{ c = Conv(x, w)  {text} }}", w=_random(1, 3, 1, 1), k=_random(4, 1, 1), one=_random(1))
    assert_equal_outputs(model, prepare(model))
