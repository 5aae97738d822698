import numpy as np
import pytest

from spcompile.errors import ModelError
from spcompile.passes import prepare
from spcompile.passes.upgrade_opset import UpgradeOpset


@pytest.mark.parametrize("opset", [9, 11, 12])
def test_axes_become_inputs(build, assert_equal_outputs, opset):
    text = "g (float[2,3,1] x) => (float[2] y) { s = Squeeze<axes=[2]>(x)  p = Softmax<axis=1>(s)  y = ReduceMean<axes=[1], keepdims=0>(p) }"
    model = build(text, opset)
    prepared = prepare(model)
    assert prepared.graph.opset_imports[""] == 18
    assert [node.op_type for node in prepared.graph] == ["Squeeze", "Softmax", "ReduceMean"]
    assert_equal_outputs(model, prepared)


def test_newer_models_stay(build):
    model = build("g (float[2] x) => (float[2] y) { y = Gelu(x) }", 20)
    assert not UpgradeOpset()(model).modified
    assert model.graph.opset_imports[""] == 20


def test_what_cannot_be_converted_is_told(build):
    arrays = {"w": np.zeros((1, 9, 4), np.float32), "r": np.zeros((1, 9, 3), np.float32)}
    model = build("g (float[2,1,4] x) => (float[2,1,1,3] y) { y = GRU<hidden_size=3>(x, w, r) }", 6, **arrays)
    with pytest.raises(ModelError, match=r"opset 6 cannot be brought to opset 18 \(.*GRU\); export the model again") as caught:
        prepare(model)
    assert "\n" not in str(caught.value)


def test_shapes_that_do_not_fit_are_told(build):
    model = build("g (float[2,3,5] x) => (float[a,b] y) { f = Flatten(x)  y = Gemm(f, w) }", 13, w=np.zeros((9, 4), np.float32))
    with pytest.raises(ModelError, match="check the input shape") as caught:
        prepare(model)
    assert "\n" not in str(caught.value)
