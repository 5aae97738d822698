from spcompile.passes.settle_names import SettleNames


def test_names_are_unique_and_kept_where_they_are(build):
    model = build("g (float[3] x) => (float[3] y) { a = Relu(x)  [mine] b = Neg(a)  [mine] c = Abs(b)  y = Relu(c) }")
    assert SettleNames()(model).modified
    names = [node.name for node in model.graph]
    assert names[:2] == ["Relu", "mine"]
    assert len(set(names)) == 4
    assert not SettleNames()(model).modified
