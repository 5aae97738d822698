"""The guard goes where it guards against nothing, and stays where a row may be masked altogether."""

import numpy as np
import pytest

from spcompile.passes import prepare
from spcompile.passes.compute_in_floats import ComputeInFloats
from spcompile.passes.infer_shapes import InferShapes
from spcompile.passes.settle_names import SettleNames

INFINITE = np.float32(-np.inf)
CAUSAL = np.triu(np.full((4, 4), INFINITE), 1)
SCALED = "m = MatMul(x, t)  s = Mul(m, k)"
SCALE = {"k": np.float32(0.5)}


def _model(build, scores: str, **arrays):
    guarded = "p = Softmax<axis=-1>(s)  n = IsNaN(p)  w = Where(n, zero, p)  y = MatMul(w, x)"
    text = f"g (float[1,2,4,8] x) => (float[1,2,4,8] y) {{ t = Transpose<perm=[0,1,3,2]>(x)  {scores}  {guarded} }}"
    return build(text, zero=np.float32(0), **arrays)


def _left(model) -> bool:
    for step in (InferShapes(), SettleNames(), ComputeInFloats()):
        step(model)
    return "Where" in [node.op_type for node in model.graph]


@pytest.mark.parametrize(
    ("scores", "arrays"),
    [("s = MatMul(x, t)", {}), (SCALED, SCALE), (f"{SCALED.replace('s =', 'd =')}  s = Add(d, mask)", {**SCALE, "mask": CAUSAL})],
    ids=["plain", "scaled", "causal"],
)
def test_it_goes(build, assert_equal_outputs, scores, arrays):
    model = _model(build, scores, **arrays)
    before = model.clone()
    assert not _left(model)
    assert_equal_outputs(before, model)


@pytest.mark.parametrize(
    ("scores", "arrays"),
    [
        ("m = MatMul(x, t)  s = Add(m, mask)", {"mask": np.full((4, 4), INFINITE)}),
        ("m = MatMul(x, t)  s = Mul(m, k)", {"k": INFINITE}),
        ("m = MatMul(x, t)  s = Div(k, m)", SCALE),
        ("m = MatMul(x, t)  d = Add(m, mask)  s = Add(d, rest)", {"mask": CAUSAL, "rest": np.where(CAUSAL < 0, 0, INFINITE)}),
        ("m = MatMul(x, t)  d = Add(m, mask)  s = Mul(d, k)", {"mask": CAUSAL, "k": np.float32(-1)}),
        ("m = MatMul(x, t)  s = Log(m)", {}),
    ],
    ids=["all masked", "infinite", "divided by it", "masked together", "mask turned round", "unknown"],
)
def test_it_stays(build, scores, arrays):
    assert _left(_model(build, scores, **arrays))


def test_preparing_drops_it(build, assert_equal_outputs):
    model = _model(build, SCALED, **SCALE)
    prepared = prepare(model)
    assert not {"IsNaN", "Where"} & {node.op_type for node in prepared.graph}
    assert_equal_outputs(model, prepared)
