import pytest

from spcompile.passes import prepare


@pytest.mark.parametrize(("terms", "left"), [("a", []), ("a, b", ["Add"]), ("a, b, c, a", ["Add", "Add", "Add"])])
def test_sums_become_additions(build, assert_equal_outputs, terms, left):
    model = build(f"g (float[2,3] a, float[1,3] b, float[2,1] c) => (float[2,3] y) {{ s = Sum({terms})  y = Relu(s) }}")
    prepared = prepare(model)
    assert [node.op_type for node in prepared.graph] == [*left, "Relu"]
    assert_equal_outputs(model, prepared)
