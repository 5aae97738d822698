"""The table of operators, and what is refused, by name, before anything long starts."""

import re
from pathlib import Path

import numpy as np
import pytest

from spcompile.errors import UnsupportedOperator
from spcompile.lowering.elementwise_ops import BUILDERS
from spcompile.lowering.lower import MOVES, OPERATORS, SETTINGS, lower
from spcompile.passes import prepare
from spcompile.targets import load_target

W = np.random.default_rng(0).standard_normal((4, 3, 3, 3)).astype(np.float32)
TABLE = np.zeros((5, 6), np.float32)
REFUSED = {  # what is wrong: (model, words of the message)
    "unknown operator": ("g (float[3] x) => (float[3] y) { a = Relu(x)  [odd] y = Sin(a) }", "node 'odd' .Sin.*not known"),
    "one-dimensional convolution": ("g (float[1,3,9] x) => (float[1,3,7] y) { [odd] y = Conv(x, w1) }", "node 'odd' .Conv.*only 2-D"),
    "computed weights": ("g (float[1,3,9,9] x, float[4,3,3,3] k) => (float[1,4,7,7] y) { [odd] y = Conv(x, k) }", "node 'odd' .Conv.*constant"),
    "computed bias": ("g (float[1,3,9,9] x, float[4] k) => (float[1,4,7,7] y) { [odd] y = Conv(x, w, k) }", "node 'odd' .Conv.*constant"),
    "product with a vector": ("g (float[3,4] x, float[4] v) => (float[3] y) { [odd] y = MatMul(x, v) }", "node 'odd' .MatMul.*vector"),
    "reflected padding": ('g (float[1,4] x) => (float[1,6] y) { [odd] y = Pad<mode="reflect">(x, pads) }', "node 'odd' .Pad.*reflect"),
    "linear resize": ('g (float[1,1,4,4] x) => (float[1,1,8,8] y) { [odd] y = Resize<mode="linear">(x, , two) }', "node 'odd' .Resize.*nearest"),
    "resize by a fraction": ('g (float[1,1,4,4] x) => (float[1,1,6,6] y) { [odd] y = Resize<mode="nearest">(x, , frac) }', "node 'odd' .Resize.*whole"),
    "one-dimensional pool": ("g (float[1,3,9] x) => (float[1,3,7] y) { [odd] y = MaxPool<kernel_shape=[3]>(x) }", "node 'odd' .MaxPool.*2-D"),
    "places of the maxima": (
        "g (float[1,3,9,9] x) => (float[1,3,7,7] y, int64[1,3,7,7] i) { [odd] y, i = MaxPool<kernel_shape=[3,3]>(x) }",
        "node 'odd' .MaxPool.*first output",
    ),
    "a window in the padding": (
        "g (float[1,1,4,4] x) => (float[1,1,h,v] y) { [odd] y = MaxPool<kernel_shape=[2,2], strides=[2,2], pads=[0,0,1,1], ceil_mode=1>(x) }",
        "node 'odd' .MaxPool.*padding",
    ),
    "gather from an activation": ("g (float[5,6] x, int64[2] i) => (float[2,6] y) { [odd] y = Gather(x, i) }", "node 'odd' .Gather.*constant table"),
    "gather along columns": ("g (int64[2] i) => (float[5,2] y) { [odd] y = Gather<axis=1>(table, i) }", "node 'odd' .Gather.*rows"),
    "mean of a normalisation": ("g (float[3,4] x) => (float[3,4] y, float[3,1] m) { [odd] y, m = LayerNormalization(x, four) }", "node 'odd'.*first output"),
    "arithmetic of whole numbers": ("g (int64[3] x) => (float[3] y) { [odd] a = Add(x, x)  y = Cast<to=1>(a) }", "node 'odd' .Add.*computes in int64"),
    "cast to whole numbers": ("g (float[3] x) => (float[3,6] y) { [odd] i = Cast<to=7>(x)  y = Gather(table, i) }", "node 'odd' .Cast.*int64"),
    "copied whole numbers": (
        "g (int64[3,2] i) => (float[6,6] y) { t = Transpose(i)  [odd] r = Reshape(t, flat)  y = Gather(table, r) }",
        "node 'odd' .Reshape.*copies int64",
    ),
    "starts known only later": ("g (float[3] x, int64[1] s) => (float[3] y) { [odd] y = Slice(x, s, flat) }", "node 'odd' .Slice.*'s' is no constant"),
    "padding known only later": ("g (float[1,4] x, float v) => (float[1,6] y) { [odd] y = Pad(x, pads, v) }", "node 'odd' .Pad.*'v' is no constant"),
    "axes known only later": ("g (float[3,4] x, int64[1] s) => (float[3,1] y) { [odd] y = ReduceSum(x, s) }", "node 'odd' .ReduceSum.*'s' is no constant"),
    "an empty tensor": ("g (float[0,3] x) => (float[0,3] y) { [odd] y = Relu(x) }", "node 'odd' .Relu.*empty"),
    "an input of doubles": ("g (double[3] x) => (float[3] y) { y = Cast<to=1>(x) }", "input 'x' is double"),
    "an output of whole numbers": ("g (int64[3] x) => (int64[3,1] y) { y = Reshape(x, column) }", "output 'y' is int64"),
}
ARRAYS = {
    "w": W,
    "w1": W[:, :, :, 0],
    "table": TABLE,
    "pads": np.array([0, 1, 0, 1]),
    "two": np.array([1, 1, 2, 2], np.float32),
    "frac": np.array([1, 1, 1.5, 1.5], np.float32),
    "four": np.ones(4, np.float32),
    "flat": np.array([6]),
    "column": np.array([3, 1]),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refusals_name_the_node_and_the_reason(build, monkeypatch, name):
    text, message = REFUSED[name]
    used = {key: array for key, array in ARRAYS.items() if re.search(rf"[(,] ?{key}[,)]", text)}
    model = prepare(build(text, **used))
    monkeypatch.setattr("spcompile.lowering.emitter.Emitter.call", lambda *_, **__: None)  # no kernel is asked for
    with pytest.raises(UnsupportedOperator, match=message):
        lower(model, load_target("x86-avx2"))


def test_tables_agree():
    """An operator is in one table; what may move whole numbers or needs constants is known at all."""
    assert not OPERATORS.keys() & BUILDERS.keys()
    assert OPERATORS.keys() >= set(MOVES) and OPERATORS.keys() >= SETTINGS.keys()


@pytest.mark.parametrize("name", [*OPERATORS, *BUILDERS])
def test_every_operator_of_the_tables_exists(name):
    """Spelled as ONNX spells it."""
    import onnx

    assert onnx.defs.has(name)


def test_a_model_that_can_be_compiled_is_not_refused(build, lowered):
    steps = lowered(build("g (float[1,3,9,9] x) => (float[1,4,7,7] y) { [even] y = Conv(x, w) }", w=W)).steps
    assert "even" in {step.node for step in steps}


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


def test_the_list_of_operators_that_errors_point_to_is_whole():
    text = (Path(__file__).parents[2] / "docs/main-job.md").read_text().partition("## What can be compiled")[2].partition("## ")[0]
    listed = set(re.findall(r"`([A-Z]\w+)`", text))
    assert listed >= {*OPERATORS, *BUILDERS, "Conv", "Gemm"}
    assert listed <= {*OPERATORS, *BUILDERS, "Conv", "Gemm", "BatchNormalization", "Constant", "Dropout"}
