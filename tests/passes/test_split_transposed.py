import numpy as np
import pytest

from spcompile.ir.layers import find_layers
from spcompile.passes import prepare

GENERATOR = np.random.default_rng(0)


def numbers(*shape: int) -> np.ndarray:
    return GENERATOR.normal(size=shape).astype(np.float32)


WINDOWS = {
    "": (3, 2),
    "strides=[2,2]": (2, 2),
    "strides=[2,2], pads=[1,1,1,1]": (4, 4),
    "strides=[2,2], pads=[1,1,1,1], output_padding=[1,1]": (3, 3),
    "strides=[3,2], pads=[0,2,4,1], output_padding=[2,0]": (5, 6),
    "strides=[4,1], pads=[3,0,1,2]": (2, 3),
    "strides=[3,3], output_padding=[2,1]": (1, 2),
    "dilations=[2,3], strides=[2,2], pads=[2,3,1,0]": (3, 2),
    "strides=[1,2], pads=[2,1,2,1]": (3, 3),
    "pads=[5,6,0,0]": (4, 5),
    'strides=[2,2], auto_pad="SAME_UPPER"': (4, 2),
    'strides=[2,3], auto_pad="VALID"': (3, 4),
    "strides=[2,2], output_shape=[10,14]": (4, 4),
}


@pytest.mark.parametrize("window", WINDOWS)
def test_becomes_a_convolution(build, assert_equal_outputs, window):
    text = f"g (float[2,3,5,7] x) => (float[n,c,h,w] y) {{ y = ConvTranspose<{window}>(x, w, b) }}".replace("<>", "")
    model = build(text, w=numbers(3, 4, *WINDOWS[window]), b=numbers(4))
    prepared = prepare(model)
    assert {node.op_type for node in prepared.graph} <= {"Conv", "Reshape", "Transpose", "Slice"}
    assert len(find_layers(prepared)) == 1
    assert_equal_outputs(model, prepared)


@pytest.mark.parametrize("groups", [2, 6])
def test_groups_without_a_bias(build, assert_equal_outputs, groups):
    text = f"g (float[1,6,4,3] x) => (float[n,c,h,w] y) {{ y = ConvTranspose<group={groups}, strides=[2,2], pads=[1,0,0,1]>(x, w) }}"
    model = build(text, w=numbers(6, 2, 3, 4))
    prepared = prepare(model)
    assert prepared.graph[0].op_type == "Conv"
    assert_equal_outputs(model, prepared)


def test_one_that_is_as_large_as_its_stride_needs_no_more_work(build, assert_equal_outputs):
    model = build("g (float[1,3,5,7] x) => (float[n,c,h,w] y) { y = ConvTranspose<strides=[2,2]>(x, w) }", w=numbers(3, 4, 2, 2))
    prepared = prepare(model)
    assert [node.op_type for node in prepared.graph] == ["Conv", "Reshape", "Transpose", "Reshape"]
    (layer,) = find_layers(prepared)
    assert (layer.rows, layer.columns, layer.pads) == (16, 3, (0, 0, 0, 0))
    assert_equal_outputs(model, prepared)


@pytest.mark.parametrize("groups", [1, 3])
def test_a_batch_norm_behind_it_is_folded(build, assert_equal_outputs, groups):
    text = f"""g (float[1,6,4,4] x) => (float[n,c,h,w] y) {{ t = ConvTranspose<group={groups}, strides=[2,2]>(x, w, b)
    y = BatchNormalization(t, gamma, beta, mean, var) }}"""
    norm = {"gamma": numbers(6), "beta": numbers(6), "mean": numbers(6), "var": numbers(6) ** 2}
    model = build(text, w=numbers(6, 6 // groups, 2, 2), b=numbers(6), **norm)
    prepared = prepare(model)
    assert [node.op_type for node in prepared.graph] == ["Conv", "Reshape", "Transpose", "Reshape"]
    assert_equal_outputs(model, prepared)


def test_along_a_line(build, assert_equal_outputs):
    model = build("g (float[1,3,9] x) => (float[n,c,l] y) { y = ConvTranspose<strides=[4], pads=[2,2]>(x, w, b) }", w=numbers(3, 2, 8), b=numbers(2))
    prepared = prepare(model)
    assert len(find_layers(prepared)) == 1
    assert_equal_outputs(model, prepared)


@pytest.mark.parametrize("size", ["output_shape=[10,10]", 'auto_pad="SAME_LOWER"'])
def test_an_odd_padding_to_share_out_is_left_alone(build, size):
    model = build(f"g (float[1,3,5,5] x) => (float[n,c,h,w] y) {{ y = ConvTranspose<strides=[2,2], {size}>(x, w) }}", w=numbers(3, 2, 3, 3))
    assert [node.op_type for node in prepare(model).graph] == ["ConvTranspose"]
