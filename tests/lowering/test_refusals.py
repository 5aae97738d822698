"""What is refused, by name, before anything long starts."""

import re

import numpy as np
import pytest

from spcompile.errors import UnsupportedOperator
from spcompile.lowering.lower import lower
from spcompile.passes import prepare
from spcompile.targets import load_target

W = np.random.default_rng(0).standard_normal((4, 3, 3, 3)).astype(np.float32)
TABLE = np.zeros((5, 6), np.float32)
REFUSED = {  # what is wrong: (model, words of the message)
    "unknown operator": ("g (float[3] x) => (float[3] y) { a = Relu(x)  [odd] y = Acos(a) }", "node 'odd' .Acos.*not known"),
    "unknown operator of two outputs": ("g (float[1,9] x) => (float[1,6] y, int64[1,6] i) { [odd] y, i = TopK(x, flat) }", "node 'odd' .TopK.*not known"),
    "unknown operator that gives whole numbers": ("g (float[1,9] x) => (int64[1,1] y) { [odd] y = ArgMax<axis=1>(x) }", "node 'odd' .ArgMax.*not known"),
    "an output that is constant": ("g (float[3] x) => (float[3] y, float[2] k) { y = Relu(x)  k = Constant<value_floats=[1.0,2.0]>() }", ".*output 'k'"),
    "bounds known only later": ("g (float[3] x, float v) => (float[3] y) { [odd] y = Clip(x, v) }", "node 'odd' .Clip.*constant numbers"),
    "three-dimensional convolution": ("g (float[1,3,9,9,9] x) => (float[1,3,7,7,7] y) { [odd] y = Conv(x, w3) }", "node 'odd' .Conv.*only 2-D"),
    "computed weights": ("g (float[1,3,9,9] x, float[4,3,3,3] k) => (float[1,4,7,7] y) { [odd] y = Conv(x, k) }", "node 'odd' .Conv.*constant"),
    "computed bias": ("g (float[1,3,9,9] x, float[4] k) => (float[1,4,7,7] y) { [odd] y = Conv(x, w, k) }", "node 'odd' .Conv.*constant"),
    "product with a vector": ("g (float[3,4] x, float[4] v) => (float[3] y) { [odd] y = MatMul(x, v) }", "node 'odd' .MatMul.*vector"),
    "padding and cutting": ('g (float[1,4] x) => (float[1,4] y) { [odd] y = Pad<mode="reflect">(x, moved) }', "node 'odd' .Pad.*reflect"),
    "cropped resize": (
        'g (float[1,1,4,4] x) => (float[1,1,6,6] y) { [odd] y = Resize<mode="linear", coordinate_transformation_mode="tf_crop_and_resize">(x, crop, frac) }',
        "node 'odd' .Resize.*cropping",
    ),
    "sequences of different lengths": (
        "g (float[4,2,1] x) => (float[4,1,2,1] y) { [odd] y = RNN<hidden_size=1>(x, one_gate, one_gate, , ends) }",
        "node 'odd' .RNN.*sequences of one length",
    ),
    "a product of three": ('g (float[2,3] x) => (float[2] y) { [odd] y = Einsum<equation="ab,ab,ab->a">(x, x, x) }', "node 'odd' .Einsum.*two operands"),
    "padding shared out oddly": (
        "g (float[1,3,5,5] x) => (float[1,3,10,10] y) { [odd] y = ConvTranspose<strides=[2,2], output_shape=[10,10]>(x, up) }",
        "node 'odd' .ConvTranspose.*evenly",
    ),
    "three-dimensional pool": ("g (float[1,3,9,9,9] x) => (float[1,3,7,7,7] y) { [odd] y = MaxPool<kernel_shape=[3,3,3]>(x) }", "node 'odd' .MaxPool.*2-D"),
    "places of the maxima": (
        "g (float[1,3,9,9] x) => (float[1,3,7,7] y, int64[1,3,7,7] i) { [odd] y, i = MaxPool<kernel_shape=[3,3]>(x) }",
        "node 'odd' .MaxPool.*first output",
    ),
    "a window in the padding": (
        "g (float[1,1,2,4] x) => (float[1,1,h,v] y) { [odd] y = MaxPool<kernel_shape=[2,1], dilations=[3,1], pads=[1,0,1,0]>(x) }",
        "node 'odd' .MaxPool.*padding",
    ),
    "gather from an activation": ("g (float[5,6] x, int64[2] i) => (float[2,6] y) { [odd] y = Gather(x, i) }", "node 'odd' .Gather.*constant table"),
    "gather along columns": ("g (int64[2] i) => (float[5,2] y) { [odd] y = Gather<axis=1>(table, i) }", "node 'odd' .Gather.*rows"),
    "mean of a normalisation": ("g (float[3,4] x) => (float[3,4] y, float[3,1] m) { [odd] y, m = LayerNormalization(x, four) }", "node 'odd'.*first output"),
    "arithmetic of whole numbers": ("g (int64[3] x) => (float[3] y) { [odd] a = Div(x, x)  y = Cast<to=1>(a) }", "node 'odd' .Div.*computes in int64"),
    "cast to bytes": ("g (float[3] x) => (float[3] y) { [odd] i = Cast<to=2>(x)  y = Cast<to=1>(i) }", "node 'odd' .Cast.*uint8"),
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
    "w3": W[..., None] * np.ones(3, np.float32),
    "moved": np.array([0, -1, 0, 1]),
    "crop": np.array([0, 0, 0, 0, 1, 1, 0.9, 0.9], np.float32),
    "one_gate": np.ones((1, 1, 1), np.float32),
    "up": W[:3],
    "ends": np.array([4, 2], np.int32),
    "table": TABLE,
    "pads": np.array([0, 1, 0, 1]),
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


def test_a_model_that_can_be_compiled_is_not_refused(build, lowered):
    steps = lowered(build("g (float[1,3,9,9] x) => (float[1,4,7,7] y) { [even] y = Conv(x, w) }", w=W)).steps
    assert "even" in {step.node for step in steps}
