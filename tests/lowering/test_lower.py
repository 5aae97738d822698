"""What is the same whenever a model is lowered."""

import numpy as np

W = np.random.default_rng(0).standard_normal((4, 3, 3, 3)).astype(np.float32)


def test_whole_numbers_and_flags_as_inputs(build, assert_compiles):
    text = """g (int64[2,6] i, int32[2,3] j, bool[2,6] m, float s) => (float[2,6] y, float[2,3] z, float t)
    { a = Cast<to=1>(i)  b = Cast<to=1>(m)  y = Mul(a, b)  c = Cast<to=1>(j)  h, k = Split<axis=1, num_outputs=2>(i)
      d = Cast<to=1>(k)  z = Add(c, d)  t = Exp(s) }"""
    assert_compiles(build(text))


def test_equal_models_give_equal_programs(build, lowered):
    """Names of kernels, order, placement and constants do not depend on the run."""
    text = "g (float[1,3,9,9] x) => (float[1,4,7,7] y) { a = Conv(x, w)  y = Relu(a) }"
    first, second = (lowered(build(text, w=W)) for _ in range(2))
    assert [(step.kernel.name, step.arguments) for step in first.steps] == [(step.kernel.name, step.arguments) for step in second.steps]
    assert first.starts == second.starts
    np.testing.assert_array_equal(first.values, second.values)


def test_equal_kernels_are_compiled_once(build, lowered):
    text = """g (float[1,4,9,9] x) => (float[1,4,9,9] y)
    { a = Conv<pads=[1,1,1,1]>(x, w)  b = Conv<pads=[1,1,1,1]>(a, v)  c = Conv<pads=[1,1,1,1]>(b, w)  y = Relu(c) }"""
    w, v = (np.random.default_rng(seed).standard_normal((4, 4, 3, 3)).astype(np.float32) for seed in (0, 1))
    program = lowered(build(text, w=w, v=v))
    layers = [step for step in program.steps if step.layer]
    assert len({step.kernel.name for step in layers}) == 2  # with and without the relu
    assert layers[0].arguments[1] == layers[2].arguments[1] != layers[1].arguments[1]  # equal weights are stored once
