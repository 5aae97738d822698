"""Reductions, softmax and layer normalisation over any axes."""

import numpy as np
import pytest

REDUCTIONS = ("ReduceMean", "ReduceSum", "ReduceMax", "ReduceMin", "ReduceL2", "ReduceSumSquare")


@pytest.mark.parametrize("keep", [0, 1])
@pytest.mark.parametrize("name", REDUCTIONS)
def test_reductions(build, assert_compiles, name, keep):
    """Each axis, pairs, all of them by an absent, an empty and a full list; of an input and of a transposed view."""
    axes = {"a0": [0], "a1": [-2], "a2": [2], "a12": [1, -1], "a02": [0, 2], "all": [0, 1, 2], "none": []}
    nodes = [f"y{index} = {name}<keepdims={keep}>({value}, {axis})" for index, (value, axis) in enumerate((v, a) for v in "xt" for a in axes)]
    nodes += [f"y{len(nodes)} = {name}<keepdims={keep}>(x)", f"y{len(nodes) + 1} = {name}<keepdims={keep}, noop_with_empty_axes=0>(x)"]
    ranks = [3 if keep else 3 - (len(a) or 3) for _ in "xt" for a in axes.values()] + [3 * keep, 3 * keep]
    outputs = ", ".join(f"float[{', '.join(f'd{i}_{k}' for k in range(rank))}] y{i}" if rank else f"float y{i}" for i, rank in enumerate(ranks))
    text = f"g (float[3,17,5] x) => ({outputs}) {{ t = Transpose<perm=[2,0,1]>(x) {' '.join(nodes)} }}"
    assert_compiles(build(text, **{key: np.array(value, np.int64) for key, value in axes.items()}))


def test_axes_as_an_attribute(build, assert_compiles):
    assert_compiles(build("g (float[3,4,5] x) => (float[3,5] y) { y = ReduceMean<axes=[1], keepdims=0>(x) }", opset=13))


def test_softmax_over_every_axis(build, assert_compiles):
    outputs = ", ".join(f"float[2,7,3,9] y{i}" for i in range(10))
    nodes = " ".join(f"y{i} = {('Softmax', 'LogSoftmax')[i % 2]}<axis={i // 2 - 1}>({'xt'[i % 3 == 0]})" for i in range(10))
    assert_compiles(build(f"g (float[2,7,3,9] x, float[9,3,7,2] u) => ({outputs}) {{ t = Transpose<perm=[3,2,1,0]>(u) {nodes} }}"))


def test_softmax_of_large_and_masked_values(build, assert_compiles):
    """No overflow; masked entries come to nothing."""
    x = np.array([[1e4, 1e4 - 1, -1e30, 3], [-1e30, -1e30, 2, 1], [88, 89, -88, 0]], np.float32)
    assert_compiles(build("g (float[3,4] x) => (float[3,4] y) { y = Softmax(x) }"), feeds=[{"x": x}])


@pytest.mark.parametrize("axis", [-1, 1, 2, -3])
def test_layer_normalisation(build, assert_compiles, axis):
    shape = (2, 5, 3, 17)[axis:]
    text = f"""g (float[2,5,3,17] x, float[17,3,5,2] u) => (float[2,5,3,17] y, float[2,5,3,17] z, float[2,5,3,17] t)
    {{ y = LayerNormalization<axis={axis}>(x, scale, bias)  z = LayerNormalization<axis={axis}, epsilon=0.1>(x, scale)
      v = Transpose<perm=[3,2,1,0]>(u)  t = LayerNormalization<axis={axis}>(v, scale, bias) }}"""
    rng = np.random.default_rng(0)
    assert_compiles(build(text, scale=rng.standard_normal(shape).astype(np.float32), bias=rng.standard_normal(shape).astype(np.float32)))


def test_layer_normalisation_spelled_out(build, assert_compiles):
    text = """g (float[2,7,12] x) => (float[2,7,12] y) { m = ReduceMean(x, last)  c = Sub(x, m)  q = Mul(c, c)  v = ReduceMean(q, last)  e = Add(v, tiny)
    s = Sqrt(e)  n = Div(c, s)  w = Mul(n, scale)  y = Add(w, bias) }"""
    rng = np.random.default_rng(0)
    scale, bias = (rng.standard_normal(12).astype(np.float32) for _ in range(2))
    assert_compiles(build(text, last=np.array([-1]), tiny=np.float32(1e-5).reshape(()), scale=scale, bias=bias))
