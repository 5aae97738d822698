import numpy as np

from spcompile.passes import prepare
from spcompile.passes.fold_constants import FoldConstants


def test_shape_arithmetic_goes(build):
    text = """g (float[2,3,4] x) => (float[a,b] y)
    { s = Shape(x)  t = Slice(s, zero, one)  u = Concat<axis=0>(t, minus)  c = ConstantOfShape(one)  v = Add(u, z)  y = Reshape(x, v) }"""
    model = build(text, zero=np.array([0]), one=np.array([1]), minus=np.array([-1]), z=np.array([0, 0]))
    FoldConstants()(model)
    node = model.graph[-1]
    assert {other.op_type for other in model.graph} <= {"Constant", "Reshape"}
    assert node.inputs[1].const_value.numpy().tolist() == [2, -1]
    assert node.outputs[0].shape.numpy() == (2, 12)


def test_a_branch_on_a_constant_is_taken(build):
    text = """g (float[3] x) => (float[3] y) { flag = Cast<to=9>(zero)
    y = If<then_branch = yes () => (float[3] p) { p = Neg(x) }, else_branch = no () => (float[3] q) { q = Abs(x) }>(flag) }"""
    model = build(text, zero=np.array(0))
    FoldConstants()(model)
    assert [node.op_type for node in model.graph] == ["Abs"]


def test_random_numbers_are_not_constants(build):
    model = build("g (float[3] x) => (float[3] y) { r = RandomNormal<shape=[3]>()  y = Add(x, r) }")
    FoldConstants()(model)
    assert [node.op_type for node in model.graph] == ["RandomNormal", "Add"]


def test_a_branch_that_is_not_taken_reads_nothing_any_more(build, assert_equal_outputs):
    text = """g (float[2,3] x) => (float[2,3] y, float[2,3] z) { z = Exp(x)
    y = If<then_branch = yes () => (float[2,3] p) { p = Neg(z) }, else_branch = no () => (float[2,3] q) { q = Abs(z) }>(flag) }"""
    model = build(text, flag=np.array(True))
    prepared = prepare(model)
    assert [node.op_type for node in prepared.graph] == ["Exp", "Neg"]
    assert {use.node for use in prepared.graph[0].outputs[0].uses()} == {prepared.graph[1]}
    assert_equal_outputs(model, prepared)


def test_an_old_batch_norm_of_constants(build, assert_equal_outputs):
    arrays = {"c": np.arange(6, dtype=np.float32).reshape(2, 3, 1), "one": np.ones(3, np.float32), "half": np.full(3, 0.5, np.float32)}
    model = build("g (float[2,3,1] x) => (float[2,3,1] y) { n = BatchNormalization(c, half, one, one, half)  y = Mul(x, n) }", opset=13, **arrays)
    prepared = prepare(model)
    assert [node.op_type for node in prepared.graph] == ["Mul"]
    assert_equal_outputs(model, prepared)
