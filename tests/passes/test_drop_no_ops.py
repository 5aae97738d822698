import numpy as np
import pytest

from spcompile.passes.drop_no_ops import DropNoOps
from spcompile.passes.infer_shapes import InferShapes


def _left(build, node: str, **arrays) -> list[str]:
    model = build(f"g (float[1,4,6] x) => (float[a,b,c] y) {{ r = Relu(x)  {node}  y = Relu(s) }}", **arrays)
    InferShapes()(model)
    DropNoOps()(model)
    return [node.op_type for node in model.graph][1:-1]


def _ints(*values: int) -> np.ndarray:
    return np.array(values, np.int64)


@pytest.mark.parametrize(
    ("node", "arrays"),
    [
        ("s = Identity(r)", {}),
        ("s = Dropout(r)", {}),
        ("s = Dropout(r, k, no)", {"k": np.array(0.5, np.float32), "no": np.array(False)}),
        ("s = Cast<to=1>(r)", {}),
        ("s = Reshape(r, k)", {"k": _ints(1, -1, 6)}),
        ("s = Expand(r, k)", {"k": _ints(1, 1, 6)}),
        ("s = Tile(r, k)", {"k": _ints(1, 1, 1)}),
        ("s = Concat<axis=1>(r)", {}),
        ("s = Pad(r, k)", {"k": _ints(0, 0, 0, 0, 0, 0)}),
        ("s = Slice(r, k, e, a)", {"k": _ints(0), "e": _ints(99), "a": _ints(2)}),
        ('s = Slice(r, k, e, a, "")', {"k": _ints(0), "e": _ints(99), "a": _ints(2)}),
        ("s = Slice(r, k, e, a, m)", {"k": _ints(0), "e": _ints(99), "a": _ints(2), "m": _ints(1)}),
        ("s = Pad(r, k, v)", {"k": _ints(0, 0, 0, 0, 0, 0), "v": np.array(7, np.float32)}),
        ("s = Transpose<perm=[0,1,2]>(r)", {}),
        ("s = Mul(r, k)", {"k": np.ones((4, 1), np.float32)}),
        ("s = Div(r, k)", {"k": np.ones(1, np.float32)}),
        ("s = Add(r, k)", {"k": np.zeros((), np.float32)}),
        ("s = Sub(r, k)", {"k": np.zeros((1, 4, 6), np.float32)}),
    ],
)
def test_drops(build, node, arrays):
    assert _left(build, node, **arrays) == []


@pytest.mark.parametrize(
    ("node", "arrays"),
    [
        ("s = Reshape(r, k)", {"k": _ints(1, 6, 4)}),
        ("s = Pad(r, k)", {"k": _ints(0, 0, 1, 0, 0, -1)}),
        ("s = Slice(r, k, e, a, m)", {"k": _ints(-1), "e": _ints(-99), "a": _ints(2), "m": _ints(-1)}),
        ("s = Mul(r, k)", {"k": np.array([1, 1, 1, 1, 1, 2], np.float32)}),
        ("s = Mul(r, k)", {"k": np.ones((2, 4, 6), np.float32)}),
        ("s = Add(r, r)", {}),
    ],
)
def test_keeps(build, node, arrays):
    assert _left(build, node, **arrays) == [node.split()[2].split("(")[0]]


def test_keeps_a_transpose_between_equal_axes(build):
    model = build("g (float[1,4,4] x) => (float[1,4,4] y) { r = Relu(x)  y = Transpose<perm=[0,2,1]>(r) }")
    assert not DropNoOps()(model).modified
