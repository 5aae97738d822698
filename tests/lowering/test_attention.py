"""Products of two activations, and rows of tables."""

import numpy as np
import pytest


def ints(*numbers: int) -> np.ndarray:
    return np.array(numbers, np.int64)


def normal(*shape: int) -> np.ndarray:
    return np.random.default_rng(shape).standard_normal(shape).astype(np.float32)


SHAPES = [  # left, right
    ((5, 7), (7, 9)),
    ((1, 16), (16, 1)),
    ((3, 17, 8), (3, 8, 31)),
    ((2, 3, 4, 5), (2, 3, 5, 6)),
    ((2, 1, 4, 5), (3, 5, 6)),
    ((4, 5), (2, 5, 33)),
    ((2, 3, 1, 5), (2, 3, 5, 2)),
]


@pytest.mark.parametrize("target", ["x86-avx2", pytest.param("x86-avx512", marks=pytest.mark.needs_avx512)])
@pytest.mark.parametrize("turned", ["", "a", "b", "ab"])
def test_products_of_activations(build, assert_compiles, turned, target):
    """Operands as they are, and each stored the other way round behind a Transpose."""
    inputs, nodes, outputs = [], [], []
    for i, (a, b) in enumerate(SHAPES):
        for name, shape in (("a", a), ("b", b)):
            stored = (*shape[:-2], shape[-1], shape[-2]) if name in turned else shape
            perm = [*range(len(shape) - 2), len(shape) - 1, len(shape) - 2]
            inputs.append(f"float[{','.join(map(str, stored))}] {name}{i}")
            nodes.append(f"v{name}{i} = Transpose<perm={perm}>({name}{i})" if name in turned else f"v{name}{i} = Neg({name}{i})")
        outputs.append(f"float[{','.join(f'd{i}{k}' for k in range(max(len(a), len(b))))}] y{i}")
        nodes.append(f"y{i} = MatMul(va{i}, vb{i})")
    assert_compiles(build(f"g ({', '.join(inputs)}) => ({', '.join(outputs)}) {{ {'  '.join(nodes)} }}"), target)


def test_products_with_other_constants(build, assert_compiles):
    """A constant on the left, and one with batches on the right."""
    text = "g (float[2,5,7] x) => (float[2,4,7] y, float[2,5,3] z) { y = MatMul(l, x)  z = MatMul(x, r) }"
    assert_compiles(build(text, l=normal(4, 5), r=normal(2, 7, 3)))


HEADS, WIDTH, LENGTH = 3, 12, 11
BLOCK = f"""g (int64[1,{LENGTH}] ids, int64[1,{LENGTH}] mask) => (float[1,{LENGTH},{WIDTH}] y, float[1,{WIDTH}] pooled)
{{ e = Gather(table, ids)  h = Add(e, positions)  x = LayerNormalization<axis=-1>(h, scale, shift)
  q1 = MatMul(x, wq)  q2 = Add(q1, bq)  q3 = Reshape(q2, heads)  q = Transpose<perm=[0,2,1,3]>(q3)
  k1 = MatMul(x, wk)  k2 = Reshape(k1, heads)  k = Transpose<perm=[0,2,3,1]>(k2)
  v1 = MatMul(x, wv)  v2 = Reshape(v1, heads)  v = Transpose<perm=[0,2,1,3]>(v2)
  s1 = MatMul(q, k)  s2 = Div(s1, two)
  m1 = Unsqueeze(mask, axes)  m2 = Cast<to=1>(m1)  m3 = Sub(one, m2)  m4 = Mul(m3, least)  s3 = Add(s2, m4)
  p = Softmax<axis=-1>(s3)  o1 = MatMul(p, v)  o2 = Transpose<perm=[0,2,1,3]>(o1)  o3 = Reshape(o2, whole)
  o4 = MatMul(o3, wo)  o5 = Add(o4, bq)  r = Add(o5, x)  n = LayerNormalization<axis=-1>(r, scale, shift)
  f1 = MatMul(n, w1)  f2 = Gelu(f1)  f3 = MatMul(f2, w2)  f4 = Add(f3, n)  y = LayerNormalization<axis=-1>(f4, scale, shift)
  c = Gather<axis=1>(y, first)  t = MatMul(c, wo)  pooled = Tanh(t) }}"""


@pytest.mark.parametrize("target", ["x86-avx2", pytest.param("x86-avx512", marks=pytest.mark.needs_avx512)])
def test_attention_block(build, assert_compiles, target):
    arrays = {name: normal(WIDTH, WIDTH) for name in ("wq", "wk", "wv", "wo")} | {"w1": normal(WIDTH, 31), "w2": normal(31, WIDTH), "bq": normal(WIDTH)}
    arrays |= {"table": normal(20, WIDTH), "positions": normal(1, LENGTH, WIDTH), "scale": normal(WIDTH), "shift": normal(WIDTH)}
    arrays |= {name: np.float32(number).reshape(()) for name, number in {"one": 1, "two": 2, "least": -1e9}.items()}
    arrays |= {"heads": ints(1, LENGTH, HEADS, -1), "whole": ints(1, LENGTH, WIDTH), "axes": ints(1, 2), "first": np.array(0)}
    rng = np.random.default_rng(0)
    mask = (np.arange(LENGTH) < 7).astype(np.int64)[None]
    feeds = [{"ids": rng.integers(-20, 20, (1, LENGTH)), "mask": mask}, {"ids": rng.integers(0, 20, (1, LENGTH)), "mask": np.ones_like(mask)}]
    assert_compiles(build(BLOCK, opset=20, **arrays), target, feeds=feeds)


def test_gathers(build, assert_compiles):
    """Computed indices that are windows on an input, of both types; constant indices along every axis, one and several."""
    text = """g (int64[3,8] i, int32[4] j, float[2,5,6] x)
    => (float[3,4,7] a, float[8,3,7] b, float[4,7] c, float[5,6] d, float[2,6] e, float[2,2,6] f, float[2,5,3] h, float[7] k)
    { s = Slice(i, start, end, axis, step)  a = Gather(t, s)  u = Transpose(i)  b = Gather<axis=-2>(t, u)  c = Gather(t, j)
      d = Gather(x, last)  e = Gather<axis=1>(x, two)  f = Gather<axis=1>(x, some)  h = Gather<axis=-1>(x, list)  k = Gather(t, two) }"""
    arrays = {"start": ints(1), "end": ints(8), "axis": ints(1), "step": ints(2)}
    arrays |= {"last": np.array(-1), "two": np.array(2), "some": ints(3, -5), "list": ints(5, 0, 5)}
    rng = np.random.default_rng(0)
    feed = {"i": rng.integers(-9, 9, (3, 8)), "j": rng.integers(0, 9, 4).astype(np.int32), "x": normal(2, 5, 6)}
    assert_compiles(build(text, t=normal(9, 7), **arrays), feeds=[feed])
