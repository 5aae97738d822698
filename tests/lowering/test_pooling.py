"""Pools as windows, and over whole images."""

import numpy as np
import pytest

BOTH = ["x86-avx2", pytest.param("x86-avx512", marks=pytest.mark.needs_avx512)]
WINDOWS = (
    "kernel_shape=[2,2], strides=[2,2]",
    "kernel_shape=[3,3], strides=[2,2], pads=[1,1,1,1]",
    "kernel_shape=[3,3], pads=[1,1,1,1]",
    "kernel_shape=[3,2], strides=[3,1], pads=[0,1,2,0]",
    "kernel_shape=[3,3], strides=[2,2], ceil_mode=1",
    "kernel_shape=[2,2], strides=[2,2], pads=[1,0,0,1], ceil_mode=1",
    "kernel_shape=[3,3], strides=[2,2], pads=[1,1,1,1], ceil_mode=1",
)


def side_by_side(build, operator: str, windows, shape, opset: int = 18):
    names = [f"y{index}" for index in range(len(windows))]
    nodes = " ".join(f"{y} = {operator}<{window}>(a)" for y, window in zip(names, windows, strict=True))
    outputs = ", ".join(f"float[n, c{y}, h{y}, v{y}] {y}" for y in names)
    return build(f"g (float[{', '.join(map(str, shape))}] x) => ({outputs}) {{ a = Neg(x) {nodes} }}", opset)


@pytest.mark.parametrize("target", BOTH)
def test_max(build, assert_compiles, target):
    shape = (2, 3, 10, 9) if target == "x86-avx2" else (1, 3, 10, 9)
    assert_compiles(side_by_side(build, "MaxPool", (*WINDOWS, "kernel_shape=[2,3], dilations=[2,2]"), shape), target, relative=0)


@pytest.mark.parametrize("included", [0, 1])
@pytest.mark.parametrize("target", BOTH)
def test_average(build, assert_compiles, target, included):
    """A window rounded up may reach beyond the padding, where nothing counts whatever count_include_pad says."""
    shape = (2, 3, 10, 9) if target == "x86-avx2" else (1, 3, 9, 9)
    assert_compiles(side_by_side(build, "AveragePool", [f"{window}, count_include_pad={included}" for window in WINDOWS], shape), target)


def test_pools_between_convolutions(build, assert_compiles):
    """Inside an epilogue's reach: a pool followed by elementwise work, and convolutions on both sides."""
    w = np.random.default_rng(0).standard_normal((4, 4, 3, 3)).astype(np.float32)
    text = """g (float[1,4,12,12] x) => (float[1,4,3,3] y, float[1,4,1,1] z, float[1,4,1,1] t)
    { a = Conv<pads=[1,1,1,1]>(x, w)  m = MaxPool<kernel_shape=[3,3], strides=[2,2], pads=[1,1,1,1]>(a)  r = Relu(m)  b = Conv<pads=[1,1,1,1]>(r, w)
      p = AveragePool<kernel_shape=[3,3], pads=[1,1,1,1]>(b)  s = Sub(p, r)  c = Conv<pads=[1,1,1,1]>(s, w)  y = MaxPool<kernel_shape=[2,2], strides=[2,2]>(c)
      z = GlobalAveragePool(c)  t = GlobalMaxPool(y) }"""
    assert_compiles(build(text, w=w))


def test_a_pool_of_the_whole_image(build, assert_compiles):
    assert_compiles(build("g (float[2,5,8,8] x) => (float[2,5,1,1] y) { y = AveragePool<kernel_shape=[8,8]>(x) }"))


@pytest.mark.parametrize("operator", ["MaxPool", "AveragePool"])
@pytest.mark.parametrize(
    "window", ["kernel_shape=[70,70]", "kernel_shape=[75,80]", "kernel_shape=[71,1], strides=[2,1], pads=[3,0,2,0]", "kernel_shape=[1,77]"]
)
def test_large_windows(build, assert_compiles, operator, window):
    assert_compiles(side_by_side(build, operator, [window], (1, 3, 75, 80)))


def test_more_weights_than_one_expression_holds(build, assert_compiles):
    w = np.random.default_rng(0).standard_normal((3, 1, 9, 11)).astype(np.float32)
    assert_compiles(build("g (float[1,3,13,17] x) => (float[1,3,5,7] y) { y = Conv<group=3>(x, w) }", w=w))
