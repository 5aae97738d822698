import numpy as np
import onnx_ir as ir
import pytest

from spcompile.ir.session import run
from spcompile.passes import prepare

GENERATOR = np.random.default_rng(0)
ARRAYS = {
    "minus": np.array(-1.5, np.float32),
    "never": np.array(-np.inf, np.float32),
    "upper": np.triu(np.ones((4, 4), bool), 1),
    "all": np.ones((4, 4), bool),
    "half": np.array(0.5, np.float32),
    "zero": np.array(0, np.float32),
    "yes": np.ones((1, 1), bool),
    "zeros": np.zeros((4, 1), np.float32),
    "all_axes": np.array([0, 1], np.int64),
    "last": np.array([-1], np.int64),
    "three": np.array(3, np.int64),
    "floats": GENERATOR.normal(size=(4, 4)).astype(np.float32),
}
CASES = {
    "a mask": "y = Where(upper, minus, x)",
    "a mask the other way": "y = Where(upper, x, minus)",
    "a mask of -infinity": "w = Where(upper, never, x)  y = Softmax(w)",
    "a mask over two": "y = Where(upper, x, z)",
    "always": "y = Where(all, x, z)",
    "always, of one axis more": "r = ReduceMean<keepdims=0>(x, all_axes)  w = Where(yes, r, zero)  y = Add(w, x)",
    "zero, of more axes": "r = ReduceMean<keepdims=0>(x, all_axes)  c = Greater(r, zero)  w = Where(c, r, zeros)  y = Concat<axis=1>(w, w, w, w)",
    "a constant": "y = Where(upper, floats, x)",
    "less": "c = Less(x, z)  y = Where(c, x, minus)",
    "greater": "c = Greater(x, half)  f = Cast<to=1>(c)  y = Mul(f, x)",
    "or equal": "r = Sign(x)  q = Sign(z)  c = LessOrEqual(r, q)  d = GreaterOrEqual(r, half)  e = And(c, d)  y = Where(e, x, z)",
    "equal": "r = Sign(x)  q = Sign(z)  c = Equal(r, q)  n = Not(c)  o = Or(n, upper)  e = Xor(o, c)  y = Where(e, x, minus)",
    "-infinity where something is greater": "c = Greater(x, z)  w = Where(c, never, x)  s = Softmax(w)  y = Relu(s)",
    "truth of numbers": "r = Relu(x)  c = Cast<to=9>(r)  f = Cast<to=1>(c)  y = Add(f, x)",
    "moved about": "c = Less(x, z)  u = Unsqueeze(c, last)  t = Transpose<perm=[2,1,0]>(u)  s = Squeeze(t, zeroth)  y = Where(s, x, z)",
    "joined": "c = Less(x, z)  d = Greater(x, half)  j = Concat<axis=1>(c, d)  k = Slice(j, first, fifth, one)  y = Where(k, x, z)",
    "whole numbers": "c = Less(i, three)  y = Where(c, x, z)",
}
INTS = {"zeroth": np.array([0], np.int64), "first": np.array([1], np.int64), "fifth": np.array([5], np.int64), "one": np.array([1], np.int64)}


@pytest.mark.parametrize("case", CASES)
def test_no_boolean_is_left(build, assert_equal_outputs, case):
    whole = ", int64[4,4] i" if "i," in CASES[case] else ""
    model = build(f"g (float[4,4] x, float[4,4] z{whole}) => (float[4,4] y) {{ {CASES[case]} }}", **ARRAYS, **INTS)
    prepared = prepare(model)
    assert not [value.name for node in prepared.graph for value in (*node.inputs, *node.outputs) if value is not None and value.dtype == ir.DataType.BOOL]
    assert_equal_outputs(model, prepared)


def test_a_mask_of_minus_infinity_is_added(build):
    model = build("g (float[4,4] x) => (float[4,4] y) { y = Where(upper, never, x) }", **ARRAYS)
    assert [node.op_type for node in prepare(model).graph] == ["Add"]


def test_a_guard_against_rows_that_are_masked_altogether(build):
    """As torch exports attention: the row of such a query is zero."""
    text = """g (float[2,4] x, float[2,4] z, bool[2,4] c) => (float[2,4] y)
    { q = MatMul(x, floats)  m = Where(c, zero, never)  s = Add(q, m)  p = Softmax(s)  n = IsNaN(p)  w = Where(n, zero, p)  y = Mul(w, z) }"""
    model = build(text, **{name: ARRAYS[name] for name in ("zero", "never", "floats")})
    prepared = prepare(model)
    assert not {"IsNaN", "Where"} & {node.op_type for node in prepared.graph}
    x, z = GENERATOR.normal(size=(2, 2, 4)).astype(np.float32)
    feeds = {"x": x, "z": z, "c": np.array([[True, False, True, False], [False] * 4])}
    expected = run(model, feeds)["y"]
    assert not expected[1].any()
    np.testing.assert_allclose(run(prepared, feeds)["y"], expected, rtol=1e-6, atol=1e-7)


POSITIONS = """e = Equal(ids, one)  n = Not(e)  i = Cast<to=6>(n)  s = CumSum(i, along)  m = Mul(s, i)  l = Cast<to=7>(m)  p = Add(l, one)
    a = Gather(table, p)  b = Gather(table, ids)  y = Add(a, b)"""


def places(build, nodes: str = POSITIONS):
    """RoBERTa's positions are counted from the tokens that are no padding."""
    held = {"one": np.array(1, np.int64), "along": np.array(1, np.int64), "table": GENERATOR.normal(size=(12, 3)).astype(np.float32)}
    return build(f"g (int64[2,5] ids) => (float[2,5,3] y) {{ {nodes} }}", **held), {"ids": np.array([[4, 5, 1, 6, 1], [9, 1, 1, 1, 2]], np.int64)}


def test_places_in_a_table_are_computed(build):
    model, feeds = places(build)
    prepared = prepare(model)
    assert {node.op_type for node in prepared.graph if any(value.dtype == ir.DataType.INT64 for value in node.outputs)} == {"Cast"}
    np.testing.assert_array_equal(run(prepared, feeds)["y"], run(model, feeds)["y"])


@pytest.mark.parametrize("attributes", ["", "<exclusive=1>", "<reverse=1>", "<exclusive=1, reverse=1>"])
@pytest.mark.parametrize("axis", [0, 1, -1])
def test_cumulated_sums(build, assert_equal_outputs, attributes, axis):
    model = build(f"g (float[3,4,5] x) => (float[3,4,5] y) {{ y = CumSum{attributes}(x, axis) }}", axis=np.array(axis, np.int64))
    prepared = prepare(model)
    assert "CumSum" not in {node.op_type for node in prepared.graph}
    assert_equal_outputs(model, prepared)


def test_numbers_become_whole_towards_zero(build, assert_equal_outputs):
    model = build("g (float[4,4] x) => (float[4,4] y) { t = Mul(x, three)  i = Cast<to=6>(t)  y = Cast<to=1>(i) }", three=np.array(3, np.float32))
    prepared = prepare(model)
    assert not [node for node in prepared.graph if node.outputs[0].dtype == ir.DataType.INT32]
    assert_equal_outputs(model, prepared)


@pytest.mark.parametrize("nodes", ["y = Less(x, z)", "c = Less(x, z)  y = Not(c)"])
def test_boolean_outputs_are_left_alone(build, nodes):
    model = build(f"g (float[4,4] x, float[4,4] z) => (bool[4,4] y) {{ {nodes} }}")
    assert [node.op_type for node in prepare(model).graph] == [node.op_type for node in model.graph]


def test_boolean_inputs_are_cast(build):
    model = build("g (float[4,4] x, bool[4,4] c) => (float[4,4] y, float[4,4] z) { n = Not(c)  y = Where(n, x, x)  z = Cast<to=1>(c) }")
    prepared = prepare(model)
    assert [value.dtype for value in prepared.graph.inputs] == [ir.DataType.FLOAT, ir.DataType.BOOL]
    feeds = {"x": ARRAYS["floats"], "c": ARRAYS["upper"]}
    np.testing.assert_array_equal(run(prepared, feeds)["y"], run(model, feeds)["y"])
