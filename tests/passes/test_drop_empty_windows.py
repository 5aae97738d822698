import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from spcompile.ir.session import run
from spcompile.passes import prepare

WINDOWS = {
    "beyond the image": ("kernel_shape=[1,1], strides=[4,4]", ["Slice", "MaxPool"]),
    "in the padding": ("kernel_shape=[2,2], strides=[2,2], pads=[1,1,1,1]", ["MaxPool"]),
    "of one axis": ("kernel_shape=[2,2], strides=[4,2]", ["Slice", "MaxPool"]),
    "none": ("kernel_shape=[3,3], strides=[2,2]", ["MaxPool"]),
    "with automatic padding": ('kernel_shape=[1,2], strides=[4,4], auto_pad="VALID"', ["Slice", "MaxPool"]),
}


@pytest.mark.parametrize(("window", "left"), WINDOWS.values(), ids=WINDOWS)
def test_what_follows_has_its_size(build, assert_equal_outputs, window, left):
    model = build(f"g (float[1,2,7,13] x) => (float[a,b,c,d] y) {{ p = MaxPool<{window}, ceil_mode=1>(x)  y = Neg(p) }}")
    prepared = prepare(model)
    assert [node.op_type for node in prepared.graph] == [*left, "Neg"]
    assert_equal_outputs(model, prepared)
    assert prepared.graph.outputs[0].shape.numpy() == run(prepared, {"x": np.zeros((1, 2, 7, 13), np.float32)})["y"].shape


def test_shape_arithmetic_behind_a_pool_counts_its_windows(build):
    """onnx infers [1, 2, 4, 4], from which ONNX Runtime makes a constant of its own: it cannot run the model as given."""
    text = "p = MaxPool<kernel_shape=[1,1], strides=[3,4], ceil_mode=1>(x)  s = Shape(p)  f = Flatten(p)  r = Relu(f)  y = Reshape(r, s)"
    prepared = prepare(build(f"g (float[1,2,8,13] x) => (float[a,b,c,d] y) {{ {text} }}"))
    assert run(prepared, {"x": np.zeros((1, 2, 8, 13), np.float32)})["y"].shape == prepared.graph.outputs[0].shape.numpy() == (1, 2, 3, 4)


@st.composite
def pools(draw):
    kernel, strides, dilations = (draw(st.tuples(*[st.integers(1, top)] * 2)) for top in (3, 5, 2))
    pads = tuple(draw(st.integers(0, k - 1)) for k in (*kernel, *kernel))
    operator, more = draw(st.sampled_from([("MaxPool", ""), ("AveragePool", ""), ("AveragePool", ", count_include_pad=1")]))
    fields = {"kernel_shape": kernel, "strides": strides, "dilations": dilations, "pads": pads}
    text = ", ".join(f"{name}={list(numbers)}" for name, numbers in fields.items())
    size = draw(st.tuples(st.integers(3, 9), st.integers(3, 9)))
    assume(all((k - 1) * d < n for k, d, n in zip(kernel, dilations, size, strict=True)))
    return f"{operator}<{text}, ceil_mode=1{more}>", size


@settings(max_examples=60)
@given(pools(), pools())
def test_one_pool_behind_another(build, assert_equal_outputs, first, second):
    (one, (height, width)), (other, _) = first, second
    model = build(
        f"g (float[1,2,{height},{width}] x) => (float[a,b,c,d] y) {{ p = {one}(x)  q = Pad(p, around)  y = {other}(q) }}",
        19,
        around=np.array([0, 0, 3, 3, 0, 0, 3, 3]),
    )
    prepared = prepare(model)
    assert_equal_outputs(model, prepared)
    found = run(prepared, {"x": np.zeros((1, 2, height, width), np.float32)})["y"]
    assert prepared.graph.outputs[0].shape.numpy() == found.shape
