"""Scores in the place of probabilities."""

import numpy as np
import onnx
import onnx_ir as ir
import pytest

from spcompile.ir.session import run
from spcompile.passes import prepare
from spcompile.pruning.scores import scored
from tests.pruning.samples import network

ENDS = {
    "softmax": "[end] y = Softmax (scores)",
    "along another axis": "[end] y = Softmax <axis = 1> (scores)",
    "logarithm": "[end] y = LogSoftmax (scores)",
    "moved about": "[end] s = Softmax (scores)\n t = Transpose <perm = [0, 2, 1]> (s)\n y = Flatten (t)",
}


def ending(end: str, outputs: str = "float[2, 3, 4] y") -> ir.Model:
    text = f"""<ir_version: 10, opset_import: ["" : 18]> g (float[2, 3, 4] x, float[2, 3, 4] z) => ({outputs}) {{
        [sum] scores = Add (x, z)
        {end}
    }}"""
    return prepare(ir.from_proto(onnx.parser.parse_model(text)))


@pytest.fixture
def feeds():
    rng = np.random.default_rng(0)
    return {name: rng.standard_normal((2, 3, 4)).astype(np.float32) for name in "xz"}


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)
def test_what_the_softmax_reads_less_what_it_does_not_see(end, feeds):
    model = ending(end, "float[2, 12] y" if "Flatten" in end else "float[2, 3, 4] y")
    axis = 1 if "axis = 1" in end else -1
    sums = feeds["x"] + feeds["z"]
    centred = sums - sums.mean(axis, keepdims=True)
    expected = centred.transpose(0, 2, 1).reshape(2, -1) if "Transpose" in end else centred
    np.testing.assert_allclose(run(scored(model), feeds)["y"], expected, atol=1e-6)
    assert any("Softmax" in node.op_type for node in model.graph), "the model given is not touched"


def test_a_shift_that_softmax_does_not_see_is_no_error(feeds):
    model = ending(ENDS["softmax"])
    shifted = {**feeds, "x": feeds["x"] + 5}
    np.testing.assert_allclose(run(scored(model), shifted)["y"], run(scored(model), feeds)["y"], atol=1e-5)


def test_probabilities_that_others_read_stay(feeds):
    model = ending("[end] y = Softmax (scores)\n w = Relu (y)", "float[2, 3, 4] y, float[2, 3, 4] w")
    assert [node.op_type for node in scored(model).graph] == [node.op_type for node in model.graph]


def test_a_network_without_softmax_stays():
    assert [node.op_type for node in scored(network()).graph] == [node.op_type for node in network().graph]
