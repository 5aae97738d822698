import numpy as np

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
