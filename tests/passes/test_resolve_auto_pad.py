import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from spcompile.passes import prepare
from spcompile.passes.infer_shapes import InferShapes
from spcompile.passes.resolve_auto_pad import ResolveAutoPad


@given(
    mode=st.sampled_from(["SAME_UPPER", "SAME_LOWER", "VALID", "NOTSET"]),
    node=st.sampled_from(["Conv", "MaxPool", "AveragePool"]),
    kernel=st.tuples(st.integers(1, 4), st.integers(1, 4)),
    strides=st.tuples(st.integers(1, 4), st.integers(1, 4)),
    ceil_mode=st.booleans(),
)
@settings(max_examples=40, deadline=None)
def test_same_results(build, assert_equal_outputs, mode, node, kernel, strides, ceil_mode):
    assume(node == "Conv" or (kernel[0] >= strides[0] and kernel[1] >= strides[1]))  # ONNX Runtime's pools refuse to skip
    attributes = f'auto_pad="{mode}", kernel_shape=[{kernel[0]},{kernel[1]}], strides=[{strides[0]},{strides[1]}]'
    if node != "Conv" and not (mode == "VALID" and ceil_mode):  # ONNX's shapes and ONNX Runtime's disagree on ceil_mode with VALID
        attributes += f", ceil_mode={int(ceil_mode)}"
    weight = np.random.default_rng(0).normal(size=(2, 3, *kernel)).astype(np.float32)
    model = build(f"g (float[1,3,9,10] x) => (float[a,b,c,d] y) {{ y = {node}<{attributes}>(x{', w' if node == 'Conv' else ''}) }}", w=weight)
    prepared = prepare(model)
    assert "auto_pad" not in prepared.graph[0].attributes
    assert_equal_outputs(model, prepared)


@pytest.mark.parametrize(("mode", "pads"), [("SAME_UPPER", [1, 2, 2, 2]), ("SAME_LOWER", [2, 2, 1, 2])])
def test_dilations_count(build, mode, pads):
    """By hand: kernel 3 at dilation 2 spans 5. Rows: 8 at stride 2 make 4, which reach 3 * 2 + 5 = 11, 3 too many. Columns: 9 make 5, reach 13, 4 too many."""
    text = f'g (float[1,1,8,9] x) => (float[1,1,4,5] y) {{ y = Conv<auto_pad="{mode}", dilations=[2,2], strides=[2,2]>(x, w) }}'
    model = build(text, w=np.ones((1, 1, 3, 3), np.float32))
    InferShapes()(model)
    ResolveAutoPad()(model)
    assert list(model.graph[0].attributes.get_ints("pads")) == pads
