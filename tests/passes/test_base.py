import onnx_ir as ir
import pytest

from spcompile.passes import prepare
from spcompile.passes.base import NodePass, Pass


class NegToAbs(NodePass):
    """Before: Neg(x) -> after: Abs(x)."""

    op_types = ("Neg",)

    def rewrite(self, node: ir.Node) -> bool:
        node.op_type = "Abs"
        return True


class Broken(Pass):
    """Before: anything -> after: the same, with a promise it cannot keep."""

    def apply(self, model: ir.Model) -> bool:
        return False

    def ensures(self, model: ir.Model) -> None:
        assert len(model.graph) == 0


def test_node_passes_see_their_operators_of_onnx_only(build):
    model = build("g (float[3] x) => (float[3] y) { a = Neg(x)  b = test.Neg(a)  y = Relu(b) }")
    assert NegToAbs()(model).modified
    assert [node.op_type for node in model.graph] == ["Abs", "Neg", "Relu"]
    assert not NegToAbs()(model).modified


def test_a_broken_promise_is_an_error(build):
    with pytest.raises(ir.passes.PostconditionError):
        Broken()(build("g (float[3] x) => (float[3] y) { y = Relu(x) }"))


def test_every_promise_is_kept_to_the_end(build, monkeypatch):
    monkeypatch.setattr("spcompile.passes.PREPARE", (Broken(),))
    monkeypatch.setattr(Broken, "__call__", lambda self, model: None)
    with pytest.raises(AssertionError):
        prepare(build("g (float[3] x) => (float[3] y) { y = Relu(x) }"))
