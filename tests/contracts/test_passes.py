"""What every pass of PREPARE promises, on a small zoo of graphs."""

import inspect

import numpy as np
import onnx_ir as ir
import pytest

from spcompile.passes import PREPARE, prepare


def _random(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def _ints(*values: int) -> np.ndarray:
    return np.array(values, np.int64)


NORM = {"gamma": _random(4), "beta": _random(4, seed=1), "mean": _random(4, seed=2), "var": _random(4, seed=3) ** 2}
ZOO = {
    "batch_norm_old_opset": (
        "g (float[2,3,9,9] x) => (float[2,4,9,9] y) { c = Conv<pads=[1,1,1,1]>(x, w)  y = BatchNormalization<epsilon=0.001>(c, gamma, beta, mean, var) }",
        9,
        {"w": _random(4, 3, 3, 3), **NORM},
    ),
    "batch_norm_of_the_input": (
        "g (float[1,4,5,5] x) => (float[1,4,5,5] y) { n = BatchNormalization(x, gamma, beta, mean, var)  y = Relu(n) }",
        15,
        NORM,
    ),
    "sum_dropout_identity": (
        """g (float[2,4] a, float[2,4] b, float[1,4] c) => (float[2,4] y, float[2,4] z)
        { s = Sum(a, b, c)  d = Dropout<ratio=0.3>(s)  i = Identity(d)  y = Relu(i)  z = Identity(a) }""",
        11,
        {},
    ),
    "shape_arithmetic": (
        """g (float[2,3,4,4] x) => (float[2,48] y) { s = Shape(x)  zero = Constant<value_int=0>()  n = Gather(s, zero)  axes = Constant<value_ints=[0]>()
        u = Unsqueeze(n, axes)  m = Constant<value_ints=[-1]>()  t = Concat<axis=0>(u, m)  y = Reshape(x, t) }""",
        13,
        {},
    ),
    "auto_pad_and_pads": (
        """g (float[1,3,11,10] x) => (float[1,5,3,2] y) { p = Pad(x, pads, zero)  c = Conv<strides=[2,2]>(p, w)
        d = Conv<auto_pad="SAME_UPPER", group=5>(c, v)
        a = Pad(d, ring)  b = AveragePool<kernel_shape=[2,2], strides=[1,1]>(a)  y = MaxPool<auto_pad="SAME_LOWER", kernel_shape=[3,3], strides=[3,3]>(b) }""",
        13,
        {
            "pads": _ints(0, 0, 1, 2, 0, 0, 1, 0),
            "zero": np.array(0, np.float32),
            "w": _random(5, 3, 3, 3),
            "v": _random(5, 1, 3, 3),
            "ring": _ints(0, 0, 1, 1, 0, 0, 1, 1),
        },
    ),
    "gemm_of_every_kind": (
        """g (float[6,4] x, float[5,6] k, float[6] r) => (float[4,3] y, float[4,5] z)
        { y = Gemm<alpha=0.5, beta=2.0, transA=1>(x, w, c)  z = Gemm<alpha=3.0, beta=0.5, transA=1, transB=1>(x, k, b) }""",
        13,
        {"w": _random(6, 3), "c": _random(1), "b": _random(4, 5)},
    ),
    "scales_after_layers": (
        """g (float[1,3,6,6] x) => (float[1,4,6,6] y, float[1,2] z) { c = Conv<pads=[1,1,1,1]>(x, w, b)  m = Mul(c, s)  a = Add(t, m)
        q = Div(a, half)  y = Sub(half, q)  p = GlobalAveragePool(y)  f = Flatten(p)  h = Gemm(f, v)  i = Mul(h, half)  z = Sub(i, u) }""",
        18,
        {
            "w": _random(4, 3, 3, 3),
            "b": _random(4),
            "s": _random(1, 4, 1, 1),
            "t": _random(4, 1, 1),
            "half": np.array(0.5, np.float32),
            "v": _random(4, 2),
            "u": _random(2),
        },
    ),
    "one_weight_for_two": (
        "g (float[1,4,6,6] x) => (float[1,4,6,6] y) { a = Conv<pads=[1,1,1,1]>(x, w)  r = Mul(a, s)  b = Conv<pads=[1,1,1,1]>(r, w)  y = Add(a, b) }",
        18,
        {"w": _random(4, 4, 3, 3), "s": np.array(2, np.float32)},
    ),
    "slices_and_moves": (
        """g (float[1,4,8,8] x) => (float[4,16,1] y) { a = Slice(x, zero, end, two, two)  b = Slice(a, zero, end, three, two)
        c = Transpose<perm=[0,2,3,1]>(b)  d = Transpose<perm=[0,3,1,2]>(c)  e = Reshape(d, s)  y = Reshape(e, t)  unused = Relu(x) }""",
        18,
        {"zero": _ints(0), "end": _ints(8), "two": _ints(2), "three": _ints(3), "s": _ints(4, 16), "t": _ints(4, 16, 1), "unread": _random(3)},
    ),
    "lines": (
        """g (float[2,3,12] x) => (float[2,4,22] y) { p = Pad<mode="reflect">(x, pads)  c = Conv(p, w, b)  n = BatchNormalization(c, gamma, beta, mean, var)
        r = Relu(n)  s = Conv<pads=[1,1]>(r, v)  a = Add(s, r)  y = ConvTranspose<strides=[2], pads=[1,0]>(a, v) }""",
        18,
        {"pads": _ints(0, 0, 1, 0, 0, 0), "w": _random(4, 3, 3), "v": _random(4, 4, 3), "b": _random(4), **NORM},
    ),
    "up_again": (
        """g (float[1,3,6,5] x) => (float[1,4,24,23] y) { c = ConvTranspose<strides=[2,2], pads=[1,0,0,1]>(x, w)
        n = BatchNormalization(c, gamma, beta, mean, var)  r = Relu(n)  y = Resize<mode="linear">(r, , , size) }""",
        18,
        {"w": _random(3, 4, 3, 3), "size": _ints(1, 4, 24, 23), **NORM},
    ),
    "function_and_branch": (
        """g (float[2,3] x) => (float[2,3] y) { t = Constant<value_int=1>()  flag = Cast<to=9>(t)
        b = If<then_branch = yes () => (float[2,3] p) { p = Neg(x) }, else_branch = no () => (float[2,3] q) { q = Abs(x) }>(flag)  y = test.twice(b) }
        <domain: "test", opset_import: ["" : 18]> twice (v) => (w) { w = Add(v, v) }""",
        18,
        {},
    ),
}


@pytest.fixture(params=ZOO)
def graph(request, build) -> ir.Model:
    text, opset, arrays = ZOO[request.param]
    return build(text, opset, **arrays)


@pytest.fixture(params=range(len(PREPARE)), ids=lambda index: f"{index}_{type(PREPARE[index]).__name__}")
def upto(request) -> int:
    return request.param


def _signature(model: ir.Model) -> list:
    return [(value.name, value.shape, value.dtype) for value in (*model.graph.inputs, *model.graph.outputs)]


def test_each_step_keeps_interface_and_results_and_settles(graph, upto, assert_equal_outputs):
    model = graph.clone()
    for step in PREPARE[:upto]:
        step(model)
    before = model.clone()
    PREPARE[upto](model)
    assert _signature(model) == _signature(graph)
    assert_equal_outputs(before, model)
    once = ir.to_onnx_text(model)
    PREPARE[upto](model)
    assert ir.to_onnx_text(model) == once


@pytest.mark.parametrize("step", PREPARE, ids=lambda step: type(step).__name__)
def test_docstring_shows_before_and_after(step):
    doc = inspect.getdoc(type(step))
    assert "Before: " in doc
    assert "-> after: " in doc


def test_prepare_leaves_its_argument_alone(graph, assert_equal_outputs):
    before = ir.to_onnx_text(graph)
    prepared = prepare(graph)
    assert ir.to_onnx_text(graph) == before
    assert _signature(prepared) == _signature(graph)
    assert_equal_outputs(graph, prepared)


def test_prepare_is_settled(graph):
    once = prepare(graph)
    assert ir.to_onnx_text(prepare(once)) == ir.to_onnx_text(once)
