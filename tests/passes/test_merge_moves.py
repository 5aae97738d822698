import pytest

from spcompile.passes import prepare


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("a = Transpose<perm=[0,2,1]>(x)  b = Transpose<perm=[2,1,0]>(a)", ["Transpose"]),
        ("a = Transpose<perm=[0,2,1]>(x)  b = Transpose<perm=[0,2,1]>(a)", []),
        ("s = Constant<value_ints=[4,6]>()  a = Reshape(x, s)  t = Constant<value_ints=[3,2,4]>()  b = Reshape(a, t)", ["Reshape"]),
    ],
)
def test_merges(build, assert_equal_outputs, text, left):
    model = build(f"g (float[2,4,3] x) => (float[a,b,c] y) {{ {text}  y = Relu(b) }}")
    prepared = prepare(model)
    assert [node.op_type for node in prepared.graph] == [*left, "Relu"]
    assert_equal_outputs(model, prepared)
