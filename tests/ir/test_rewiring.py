import numpy as np
import onnx_ir as ir
import pytest

from spcompile.ir.constants import add_constant, constant, rewrite_constant
from spcompile.ir.rewiring import absorb, bypass, follow, replace, sole_reader

TEXT = "g (float[3] x) => (float[3] y, float[3] z) { a = Relu(x)  b = Identity(a)  y = Identity(b)  z = Neg(b) }"


@pytest.fixture
def model(build):
    return build(TEXT, w=np.ones(3, np.float32))


def _nodes(model: ir.Model) -> list[str]:
    return [f"{node.outputs[0].name}={node.op_type}({','.join(value.name for value in node.inputs)})" for node in model.graph]


def test_replace_keeps_the_name_of_the_result(model):
    node = model.graph[0]
    first = ir.node("Abs", node.inputs)
    replace(node, [first, ir.node("Sqrt", first.outputs)])
    assert _nodes(model)[1:] == ["a=Sqrt(val_0)", "b=Identity(a)", "y=Identity(b)", "z=Neg(b)"]


def test_follow_hands_on_to_all_readers(model):
    follow(model.graph[1], "Add", model.graph.initializers["w"], "sum")
    assert _nodes(model)[1:] == ["b=Identity(a)", "b_add=Add(b,w)", "y=Identity(b_add)", "z=Neg(b_add)"]


def test_follow_keeps_the_name_of_an_output(model):
    follow(model.graph[3], "Add", model.graph.initializers["w"], "sum")
    assert _nodes(model)[3:] == ["z_before_add=Neg(b)", "z=Add(z_before_add,w)"]
    assert [value.name for value in model.graph.outputs] == ["y", "z"]


def test_absorb_takes_over_the_name(model):
    absorb(model.graph[1], model.graph[0].outputs[0])
    assert _nodes(model) == ["b=Relu(x)", "y=Identity(b)", "z=Neg(b)"]


def test_bypass_keeps_the_names_of_outputs(model):
    assert bypass(model.graph[1])
    assert bypass(model.graph[1])
    assert _nodes(model) == ["y=Relu(x)", "z=Neg(y)"]


@pytest.mark.parametrize("text", ["{ y = Identity(x)  z = Neg(x) }", "{ z = Neg(x)  y = Identity(z) }", "{ y = Identity(w)  z = Neg(x) }"])
def test_bypass_refuses_what_the_interface_needs(build, text):
    model = build(f"g (float[3] x) => (float[3] y, float[3] z) {text}", w=np.ones(3, np.float32))
    before = _nodes(model)
    assert not bypass(next(node for node in model.graph if node.op_type == "Identity"))
    assert _nodes(model) == before


def test_sole_reader(model):
    assert sole_reader(model.graph[0].outputs[0]) is model.graph[1]
    assert sole_reader(model.graph[1].outputs[0]) is None
    assert sole_reader(model.graph[2].outputs[0]) is None


def test_constants_are_initializers_only(model):
    np.testing.assert_array_equal(constant(model.graph.initializers["w"]), np.ones(3))
    assert constant(None) is None
    assert constant(model.graph.inputs[0]) is None
    assert constant(model.graph[0].outputs[0]) is None


def test_new_constants_get_free_names(model):
    assert [add_constant(model.graph, name, np.array(1.5, np.float32)).name for name in ("w", "x", "a", "new", "new")] == ["w_1", "x_1", "a_1", "new", "new_1"]
    assert constant(model.graph.initializers["new"]).shape == ()


def test_a_shared_constant_is_rewritten_for_some(build):
    model = build("g (float[3] x) => (float[3] y) { a = Add(x, w)  b = Add(a, w)  y = Add(b, w) }", w=np.ones(3, np.float32))
    first, second, third = model.graph
    rewrite_constant([(first, 1), (second, 1)], np.zeros(3))
    assert [node.inputs[1].name for node in model.graph] == ["w_own", "w_own", "w"]
    rewrite_constant([(third, 1)], np.full(3, 2.0))
    assert [constant(node.inputs[1])[0] for node in model.graph] == [0, 0, 2]
    assert constant(third.inputs[1]).dtype == np.float32
