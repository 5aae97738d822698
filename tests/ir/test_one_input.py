"""Which networks treat the inputs of a batch apart."""

import re

import numpy as np
import pytest

from spcompile.ir.one_input import one_input
from spcompile.ir.session import run
from spcompile.lowering.elementwise_ops import BUILDERS
from spcompile.passes import prepare

ELEMENTWISE = frozenset(BUILDERS)
APART = {
    "images": """g (float[3,4,6,7] x) => (float[3,5] y) { a = Conv<pads=[1,1,1,1]>(x, w)  b = Relu(a)  m = MaxPool<kernel_shape=[2,2], strides=[2,2]>(b)
        c = Concat<axis=1>(m, m)  p = GlobalAveragePool(c)  f = Flatten(p)  y = Gemm(f, v, u) }""",
    "sequences": """g (float[3,5,8] x) => (float[3,5,8] y) { q = MatMul(x, mix)  r = Reshape(q, heads)  t = Transpose<perm=[0,2,1,3]>(r)
        k = Transpose<perm=[0,1,3,2]>(t)  a = MatMul(t, k)  p = Softmax(a)  z = MatMul(p, t)  b = Transpose<perm=[0,2,1,3]>(z)
        c = Reshape(b, flat)  d = Add(c, x)  e = Add(d, vector)  m = ReduceMean(e, last)  y = Sub(e, m) }""",
    "the batch among other axes": """g (float[3,5,12] x) => (float[3,2,5,2] y) { r = Reshape(x, parts)  t = Transpose<perm=[2,0,3,1,4]>(r)
        q = Gather<axis=0>(t, zero_)  k = Slice(t, begin_, end_, zero)  h = Squeeze(k, zero)  p = Mul(q, h)
        e = Unsqueeze(p, zero)  m = ReduceSum<keepdims=0>(e, zero)  y = Add(m, h) }""",
    "words": "g (int64[3,4] i) => (float[3,4,6] y) { e = Gather(table, i)  h = Unsqueeze(e, one)  y = Squeeze(h, one) }",
    "an axis that is no list": "g (float[3,4] x) => (float[3,1,4] y) { y = Unsqueeze(x, one_) }",
    "settings": """g (float[3,4,6,6] x) => (float[3,8,3,4] y) { p = Pad(x, pads)  s = Slice(p, begin, end, axes)  a, b = Split<axis=1, num_outputs=2>(s)
        c = Add(a, b)  d = Resize<mode="nearest">(c, , scales)  e = Gather<axis=2>(d, places)  l = LogSoftmax<axis=1>(e)  y = Concat<axis=1>(l, l, e, e) }""",
    "constants with a part for each input": """g (float[3,2,4] x) => (float[3,3,4] y) { c = Concat<axis=1>(token, x)  a = Add(c, same)  m = MatMul(a, mixers)
        n = LayerNormalization(m, same, vector4)  t = Transpose<perm=[1,0,2]>(n)  s = Mul(t, across)  b = Transpose<perm=[1,0,2]>(s)  y = Add(b, same) }""",
}
TOGETHER = {
    "one input": "g (float[1,4] x) => (float[1,4] y) { y = Relu(x) }",
    "an output without the batch": "g (float[3,4] x) => (float[4] y) { y = ReduceSum<keepdims=0>(x, zero) }",
    "inputs of two batches": "g (float[3,4] x, float[2,4] z) => (float[3,4] y) { a = ReduceSum(z, zero)  y = Add(x, a) }",
    "a sum over the batch": "g (float[3,4] x) => (float[3,4] y) { a = ReduceMean(x, zero)  y = Sub(x, a) }",
    "a softmax over the batch": "g (float[3,4] x) => (float[3,4] y) { y = Softmax<axis=0>(x) }",
    "a constant for each input": "g (float[3,4] x) => (float[3,4] y) { y = Add(x, own) }",
    "a token for each input": "g (float[3,4] x) => (float[3,8] y) { y = Concat<axis=1>(own, x) }",
    "a scale for each input": "g (float[3,2,4] x) => (float[3,2,4] y) { y = LayerNormalization(x, owns) }",
    "a matrix for each input": "g (float[3,2,4] x) => (float[3,2,4] y) { y = MatMul(x, squares) }",
    "inputs as a scale": "g (float[3,2,3] x, float[3] z) => (float[3,2,3] y) { y = LayerNormalization(x, z) }",
    "a bias for each input": "g (float[3,4] x) => (float[3,4] y) { y = Gemm(x, square, own) }",
    "a batch among the columns": "g (float[3,3] x) => (float[3,3] y) { t = Transpose<perm=[1,0]>(x)  y = MatMul(x, t) }",
    "inputs in another order": "g (float[3,4] x) => (float[3,4] y) { y = Gather<axis=0>(x, order) }",
    "vectors against matrices": "g (float[3,3] x, float[3] z) => (float[3,3] y) { y = Add(x, z) }",
    "pairs of inputs": "g (float[4,3] x) => (float[4,3] y) { r = Reshape(x, pairs)  s = Softmax<axis=1>(r)  y = Reshape(s, rows) }",
    "a softmax over the batch, moved": "g (float[3,4] x) => (float[3,4] y) { t = Transpose<perm=[1,0]>(x)  s = Softmax(t)  y = Transpose<perm=[1,0]>(s) }",
    "a product over the batch": "g (float[3,3] x) => (float[3,3] y) { t = Transpose<perm=[1,0]>(x)  m = MatMul(t, small)  y = Transpose<perm=[1,0]>(m) }",
    "two places": "g (float[3,3] x) => (float[3,3] y) { t = Transpose<perm=[1,0]>(x)  y = Add(x, t) }",
    "the batch moved": "g (float[3,3] x) => (float[3,3] y) { y = Transpose<perm=[1,0]>(x) }",
    "slices of the batch": "g (float[3,4] x) => (float[3,4] y) { s = Slice(x, back, far, zero, back)  y = Relu(s) }",
}


def normal(*shape: int) -> np.ndarray:
    return np.random.default_rng(shape).standard_normal(shape).astype(np.float32)


CONSTANTS = {
    "w": normal(6, 4, 3, 3), "v": normal(12, 5), "u": normal(5), "mix": normal(8, 8), "heads": np.array([3, 5, 2, 4]), "flat": np.array([3, 5, 8]),
    "vector": normal(8), "last": np.array([-1]), "table": normal(9, 6), "one": np.array([1]), "pads": np.array([0, 0, 1, 1, 0, 0, 1, 1]),
    "begin": np.array([1, 0]), "end": np.array([7, 4]), "axes": np.array([2, -1]), "scales": np.array([1, 1, 1, 2], np.float32), "places": np.array([0, 5, 2]),
    "zero": np.array([0]), "own": normal(3, 4), "square": normal(4, 4), "order": np.array([2, 0, 1]), "pairs": np.array([2, 2, 3]),
    "parts": np.array([3, 5, 3, 2, 2]), "zero_": np.array(0), "one_": np.array(1), "begin_": np.array([1]), "end_": np.array([2]), "small": normal(3, 3),
    "owns": normal(3, 1, 4), "squares": normal(3, 4, 4), "token": normal(1, 1, 4).repeat(3, 0), "same": normal(1, 3, 4).repeat(3, 0), "vector4": normal(4),
    "mixers": normal(1, 4, 4).repeat(3, 0), "across": normal(3, 1, 4).repeat(3, 1), "rows": np.array([4, 3]), "back": np.array([-1]), "far": np.array([-9]),
}  # fmt: skip


def made(build, text: str):
    return prepare(build(text, **{name: array for name, array in CONSTANTS.items() if name in re.findall(r"\w+", text)}))


@pytest.mark.parametrize("name", APART)
def test_each_input_alone_gives_its_part(build, name):
    model = made(build, APART[name])
    single = one_input(model, ELEMENTWISE)
    assert [value.shape[0] for value in (*single.graph.inputs, *single.graph.outputs)] == [1] * 2
    (source,) = model.graph.inputs
    feed = np.random.default_rng(0).integers(0, 9, source.shape.numpy()).astype(source.dtype.numpy())
    alone = [run(single, {source.name: feed[n : n + 1]})["y"] for n in range(3)]
    np.testing.assert_allclose(np.concatenate(alone), run(model, {source.name: feed})["y"], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", TOGETHER)
def test_what_mixes_inputs_is_left_together(build, name):
    assert one_input(made(build, TOGETHER[name]), ELEMENTWISE) is None
