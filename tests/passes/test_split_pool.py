import pytest

from spcompile.passes import prepare

POOLS = ("MaxPool", "AveragePool")
WINDOWS = (
    "kernel_shape=[9,8]",
    "kernel_shape=[10,7], strides=[3,2], pads=[4,0,5,3]",
    "kernel_shape=[9,9], strides=[4,5], pads=[3,4,2,4], ceil_mode=1",
    "kernel_shape=[13,13], pads=[6,6,6,6]",
)


def types(model) -> list[str]:
    return [node.op_type for node in model.graph]


@pytest.mark.parametrize("window", WINDOWS)
@pytest.mark.parametrize("operator", ["MaxPool", "AveragePool", "AveragePool<count_include_pad=1>"])
def test_one_axis_after_the_other(build, assert_equal_outputs, operator, window):
    operator, _, counts = operator.partition("<")
    text = f"{operator}<{window}{', ' if counts else ''}{counts.rstrip('>')}>(x)"
    model = build(f"g (float[2,3,17,19] x) => (float[n,c,h,w] y) {{ y = {text} }}", opset=19)
    prepared = prepare(model)
    assert types(prepared) == [operator, operator]
    assert_equal_outputs(model, prepared)


def test_dilations(build, assert_equal_outputs):
    model = build("g (float[1,2,24,30] x) => (float[n,c,h,w] y) { y = MaxPool<kernel_shape=[9,9], dilations=[2,3], pads=[2,1,0,4]>(x) }")
    prepared = prepare(model)
    assert types(prepared) == ["MaxPool", "MaxPool"]
    assert_equal_outputs(model, prepared)


@pytest.mark.parametrize("operator", POOLS)
def test_the_whole_image_at_once(build, assert_equal_outputs, operator):
    model = build(f"g (float[2,3,13,11] x) => (float[2,3,1,1] y) {{ r = Relu(x)  y = {operator}<kernel_shape=[13,11]>(r) }}")
    prepared = prepare(model)
    assert types(prepared) == ["Relu", f"Global{operator}"]
    assert_equal_outputs(model, prepared)


def test_parts_may_be_large_too(build, assert_equal_outputs):
    model = build("g (float[1,2,75,80] x) => (float[n,c,h,w] y) { y = AveragePool<kernel_shape=[70,70], pads=[0,2,0,0]>(x) }")
    prepared = prepare(model)
    assert types(prepared) == ["AveragePool", "AveragePool"]
    assert_equal_outputs(model, prepared)


@pytest.mark.parametrize(
    ("size", "window", "left"),
    [
        ("79,80", "kernel_shape=[80,80], pads=[1,0,0,0]", ["MaxPool", "GlobalMaxPool"]),
        ("80,1", "kernel_shape=[80,2], pads=[0,1,0,1]", ["GlobalMaxPool", "MaxPool"]),
    ],
)
def test_parts_may_be_all_of_an_axis(build, assert_equal_outputs, size, window, left):
    model = build(f"g (float[1,2,{size}] x) => (float[n,c,h,w] y) {{ y = MaxPool<{window}>(x) }}")
    prepared = prepare(model)
    assert types(prepared) == left
    assert_equal_outputs(model, prepared)


@pytest.mark.parametrize("window", ["kernel_shape=[8,8]", "kernel_shape=[1,70]", "kernel_shape=[70,1]"])
def test_others_stay(build, window):
    assert types(prepare(build(f"g (float[1,2,80,80] x) => (float[n,c,h,w] y) {{ y = MaxPool<{window}>(x) }}"))) == ["MaxPool"]
