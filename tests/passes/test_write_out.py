import numpy as np
import pytest

from spcompile.ir.session import run
from spcompile.passes import prepare

GENERATOR = np.random.default_rng(0)


def numbers(*shape: int) -> np.ndarray:
    return GENERATOR.normal(size=shape).astype(np.float32)


def ints(*values: int) -> np.ndarray:
    return np.array(values, np.int64)


CASES = {  # what is left of it
    "InstanceNormalization<epsilon=0.1>(x, s, b)": {"ReduceMean", "Sub", "Mul", "Add", "Sqrt", "Div"},
    "GroupNormalization<num_groups=2>(x, s, b)": {"ReduceMean", "Sub", "Mul", "Add", "Sqrt", "Div", "Reshape"},
    "Mean(x, n, r)": {"Add", "Div", "Relu"},
    "MeanVarianceNormalization(x)": {"ReduceMean", "Sub", "Mul", "Add", "Sqrt", "Div"},
    "MeanVarianceNormalization<axes=[0,2]>(x)": {"ReduceMean", "Sub", "Mul", "Add", "Sqrt", "Div"},
    "GatherND(x, points)": {"Reshape", "Gather"},
    "GatherND(x, pixels)": {"Reshape", "Gather"},
    "LRN<size=3, alpha=0.5, beta=0.6, bias=2.0>(x)": {"Mul", "Reshape", "AveragePool", "Add", "Pow", "Div"},
    "LpNormalization<axis=1>(x)": {"ReduceL2", "Max", "Div"},
    "LpNormalization<p=1>(x)": {"Abs", "ReduceSum", "Max", "Div"},
    "SpaceToDepth<blocksize=2>(x)": {"Reshape", "Transpose"},
    "Tile(x, times)": {"Reshape", "Expand"},
    "ReduceL1<keepdims=0>(x, axes)": {"Abs", "ReduceSum"},
    "ReduceLogSum(x2, axes)": {"Relu", "Add", "ReduceSum", "Log"},
    "ReduceLogSumExp<keepdims=0>(large, axes)": {"Mul", "ReduceMax", "Sub", "Exp", "ReduceSum", "Log", "Add"},
    "CenterCropPad<axes=[2,3]>(x, size)": {"Pad", "Slice"},
    "RotaryEmbedding(x, cosines, sines)": {"Slice", "Split", "Mul", "Sub", "Add", "Concat", "Unsqueeze", "Reshape", "Transpose"},
    "RMSNormalization<axis=-2>(x, n)": {"Mul", "ReduceMean", "Add", "Sqrt", "Div"},
}
PER_CHANNEL = {"s": numbers(4), "b": numbers(4)}
ARRAYS = {
    **PER_CHANNEL,
    "n": numbers(4, 6),
    "times": ints(1, 3, 1, 2),
    "axes": ints(1, 3),
    "points": ints(*np.ndindex(2, 2, 2, 1)).reshape(2, 2, 2, 1, 4),
    "pixels": ints(0, -1, 1, 2, 1, 0).reshape(1, 3, 2),
    "size": ints(7, 2),
    "cosines": numbers(2, 4, 3),
    "sines": numbers(2, 4, 3),
    "hundred": np.array(100, np.float32),
    "one": np.array(1, np.float32),
}


@pytest.mark.parametrize("operator", CASES)
def test_computes_the_same(build, assert_equal_outputs, operator):
    text = f"g (float[2,4,4,6] x) => (float[n,c,h,w] y) {{ r = Relu(x)  x2 = Add(r, one)  large = Mul(x, hundred)  y = {operator} }}"
    if "pixels" in operator:
        text = text.replace("float[n,c,h,w] y", "float[1,3,4,6] y")
    if "keepdims=0" in operator:
        text = text.replace("float[n,c,h,w] y", "float[n,c] y")
    model = build(text, opset=23, **ARRAYS)
    prepared = prepare(model)
    assert {node.op_type for node in prepared.graph} <= CASES[operator]
    assert not prepared.functions
    assert_equal_outputs(model, prepared)


def test_group_normalization_that_scales_groups(build, assert_equal_outputs):
    model = build("g (float[2,4,3] x) => (float[2,4,3] y) { y = GroupNormalization<num_groups=2>(x, s, b) }", opset=18, s=numbers(2), b=numbers(2))
    assert_equal_outputs(model, prepare(model))


def test_a_vector_of_zeros_stays_one(build, assert_equal_outputs):
    model = build("g (float[1,4] x) => (float[1,4] y) { zero = Sub(x, x)  y = LpNormalization(zero) }")
    assert_equal_outputs(model, prepare(model))


@pytest.mark.parametrize("number", [np.int64(1), np.float32(0.5)], ids=str)
def test_elements_that_are_all_the_same(build, number):
    text = "g (int64[2,3] i) => (float[2,3] y) { e = GatherElements<axis=1>(table, i)  f = Cast<to=1>(e)  j = Cast<to=1>(i)  y = Mul(f, j) }"
    model, places = build(text, table=np.full((2, 5), number)), ints(0, 4, -1, 2, 1, 0).reshape(2, 3)
    prepared = prepare(model)
    assert "GatherElements" not in {node.op_type for node in prepared.graph}
    np.testing.assert_array_equal(run(prepared, {"i": places})["y"], run(model, {"i": places})["y"])


def test_a_number_without_axes_is_repeated_once(build):
    model = build("g (float[2] x) => (float[2] y) { n = ReduceSum<keepdims=0>(x)  t = Tile(n, none)  y = Mul(x, t) }", none=np.zeros(0, np.int64))
    assert "Tile" not in {node.op_type for node in prepare(model).graph}


def test_attention(build, assert_equal_outputs):
    text = "g (float[1,2,5,8] q, float[1,2,7,8] k, float[1,2,7,4] v) => (float[1,2,5,4] y) { y = Attention<scale=0.25>(q, k, v, mask) }"
    model = build(text, opset=23, mask=numbers(5, 7))
    prepared = prepare(model)
    assert {node.op_type for node in prepared.graph} <= {"Unsqueeze", "Reshape", "Mul", "Transpose", "MatMul", "Add", "Softmax"}
    assert_equal_outputs(model, prepared)


def test_names_say_where_nodes_come_from(build):
    model = build("g (float[1,4,3] x) => (float[1,4,3] y) { [norm] y = InstanceNormalization(x, s, b) }", **PER_CHANNEL)
    assert all(node.name.startswith("norm_") for node in prepare(model).graph)


def test_repeats_known_only_later_stay(build):
    model = build("g (float[1,4] x, int64[2] times) => (float[1,4] y) { t = Tile(x, times)  y = Reshape(t, shape) }", shape=ints(1, 4))
    with pytest.raises(Exception, match="shape is known only when the model runs"):
        prepare(model)
