import logging

import numpy as np
import pytest

from spcompile.errors import ModelError
from spcompile.passes import prepare


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[fc] y = MatMul(x, w)", r"node 'fc' \(MatMul\) does not fit its inputs x \[2, 3\], w \[5, 4\]: .*; check the input shape"),
        ("[find] n = NonZero(x)  y = Cast<to=1>(n)", r"node 'find' \(NonZero\) has an output whose shape is known only when the model runs"),
        ("[own] y = test.Twice(x)", r"node 'own' \(Twice\) is of the operator set 'test'"),
    ],
)
def test_open_shapes_name_their_node(build, text, message):
    with pytest.raises(ModelError, match=message) as caught:
        prepare(build(f"g (float[2,3] x) => (float[a,b] y) {{ {text} }}", w=np.zeros((5, 4), np.float32)))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("window", ["kernel_shape=[4,2], strides=[2,2]", "kernel_shape=[2,3], dilations=[1,3], strides=[1,9], pads=[0,1,0,1]"])
def test_a_window_larger_than_its_image_is_refused(build, window):
    """onnx infers one window: (3 - 4) / 2 is rounded towards zero."""
    with pytest.raises(ModelError, match=r"node 'pool' \(MaxPool\): the input is too small for it, x \[1, 1, 3, 4\]"):
        prepare(build(f"g (float[1,1,3,4] x) => (float[a,b,c,d] y) {{ [pool] y = MaxPool<{window}>(x) }}"))


@pytest.mark.parametrize(
    "window", ["kernel_shape=[4,2], strides=[2,1], ceil_mode=1", "kernel_shape=[3,3], pads=[1,0,1,1]", 'kernel_shape=[4,5], auto_pad="SAME_UPPER"']
)
def test_a_window_that_fits_with_padding_is_taken(build, assert_equal_outputs, window):
    model = build(f"g (float[1,1,3,4] x) => (float[a,b,c,d] y) {{ y = MaxPool<{window}>(x) }}")
    assert_equal_outputs(model, prepare(model))


def test_every_value_gets_a_shape(build):
    model = prepare(build("g (float[2,3] x) => (float[a,b] y) { t = MatMul(x, w)  y = Relu(t) }", w=np.zeros((3, 4), np.float32)))
    assert [value.shape.numpy() for node in model.graph for value in node.outputs] == [(2, 4), (2, 4)]


def test_a_refusal_is_all_that_is_said(build, caplog):
    """The weight is float32, what comes to it is not: onnx_ir would log that with a traceback, and what it logs for others it still does."""
    with pytest.raises(ModelError, match="double"):
        prepare(build("g (double[2,3] x) => (double[2,4] y) { [fc] y = MatMul(x, w) }", w=np.zeros((3, 4), np.float32)))
    assert not caplog.records
    assert logging.getLogger("onnx_ir.passes.common.shape_inference").isEnabledFor(logging.WARNING)
