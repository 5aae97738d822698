"""What the report says of the model."""

import numpy as np
import onnx_ir as ir
import pytest

from spcompile.compiler.facts import model_facts
from spcompile.ir.layers import with_weights

W, V = np.arange(1, 13, dtype=np.float32).reshape(3, 4), np.ones(4, np.float32)
HALF = np.where(np.arange(12).reshape(4, 3) < 6, W.T, 0)  # as rows x columns
SIAMESE = """g (float[2,3] a, float[5,3] b) => (float[2,4] p, float[5,4] q)
{ [left] l = MatMul(a, w)  p = Add(l, v)  [right] r = MatMul(b, w)  q = Add(r, v) }"""
TIED = "g (int64[2] i, float[2,4] x) => (float[2,4] e, float[2,3] y) { e = Gather(w, i)  [head] y = Gemm<transB=1>(x, w) }"


@pytest.mark.parametrize(
    ("text", "matrices", "kept", "macs", "macs_kept"),
    [
        (SIAMESE, {}, 16, 84, 84),
        (SIAMESE, {"left": HALF, "right": HALF}, 10, 84, 42),
        (TIED, {"head": HALF.reshape(3, 4)}, 16, 24, 12),  # the table keeps what the layer loses
    ],
    ids=["shared", "shared_and_pruned", "embedding"],
)
def test_a_weight_counts_once_and_every_product(build, text, matrices, kept, macs, macs_kept):
    dense = ir.passes.common.ShapeInferencePass()(build(text, w=W, v=V)).model
    facts = model_facts("net", dense, dense, with_weights(dense, matrices))
    assert (facts.parameters, facts.parameters_kept, facts.macs, facts.macs_kept) == (16, kept, macs, macs_kept)
