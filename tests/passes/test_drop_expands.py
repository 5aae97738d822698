import pytest

from spcompile.passes import prepare


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("e = Expand(h, shape)  y = Add(x, e)", ["Add"]),
        ("e = Expand(h, shape)  y = Max(e, x, h)", ["Max"]),
        ("e = Expand(h, shape)  y = Sub(e, e)", ["Expand", "Sub"]),  # somebody has to repeat it
        ("e = Expand(x, above)  y = Div(e, h)", ["Expand", "Div"]),  # as many numbers, but of another rank
        ("e = Expand(h, shape)  r = Relu(e)  a = Mul(x, e)  y = Add(a, r)", ["Expand", "Relu", "Mul", "Add"]),
    ],
)
def test_only_what_the_reader_repeats_itself(build, assert_equal_outputs, text, left):
    """The shapes that an Expand adds in front count too: onnxscript's own rule looks at the last axes alone."""
    constants = "shape = Constant<value_ints=[2,4,3]>()  above = Constant<value_ints=[1,2,4,3]>()"
    dims = "a,b,c,d" if "above" in text else "a,b,c"
    model = build(f"g (float[2,4,3] x, float[2,4,1] h) => (float[{dims}] y) {{ {constants}  {text} }}")
    prepared = prepare(model)
    assert [node.op_type for node in prepared.graph] == left
    assert_equal_outputs(model, prepared)


def test_an_expanded_value_that_is_an_output_stays(build, assert_equal_outputs):
    text = "shape = Constant<value_ints=[2,3]>()  e = Expand(h, shape)  y = Add(x, e)"
    model = build(f"g (float[2,3] x, float[2,1] h) => (float[2,3] y, float[2,3] e) {{ {text} }}")
    prepared = prepare(model)
    assert next(node for node in prepared.graph if node.op_type == "Add").inputs[1].name == "h"
    assert_equal_outputs(model, prepared)
