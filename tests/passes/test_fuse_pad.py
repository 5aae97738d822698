import numpy as np
import pytest

from spcompile.passes.fuse_pad import FusePad
from spcompile.passes.infer_shapes import InferShapes

W = np.random.default_rng(0).normal(size=(2, 3, 3, 3)).astype(np.float32)
ZERO = np.array(0, np.float32)


def _model(build, text: str, pads: list[int], **arrays):
    model = build(f"g (float[1,3,6,7] x) => (float[a,b,c,d] y) {{ p = Pad{text} }}", pads=np.array(pads), w=W, **arrays)
    InferShapes()(model)
    return model


@pytest.mark.parametrize(
    ("text", "pads", "arrays", "expected"),
    [
        ("(x, pads)  y = Conv(p, w)", [0, 0, 1, 2, 0, 0, 3, 4], {}, [1, 2, 3, 4]),
        ("(x, pads, zero)  y = Conv<pads=[1,1,1,1]>(p, w)", [0, 0, 1, 2, 0, 0, 3, 4], {"zero": ZERO}, [2, 3, 4, 5]),
        ("(x, pads, zero, axes)  y = Conv(p, w)", [1, 2, 3, 4], {"zero": ZERO, "axes": np.array([-1, 2])}, [2, 1, 4, 3]),
        ("(x, pads)  y = AveragePool<kernel_shape=[3,3]>(p)", [0, 0, 1, 2, 0, 0, 1, 2], {}, [1, 2, 1, 2]),
        ("(x, pads)  y = AveragePool<kernel_shape=[3,3], pads=[1,0,1,0], count_include_pad=1>(p)", [0, 0, 1, 1, 0, 0, 1, 1], {}, [2, 1, 2, 1]),
    ],
)
def test_fuses(build, assert_equal_outputs, text, pads, arrays, expected):
    model = _model(build, text, pads, **arrays)
    before = model.clone()
    assert FusePad()(model).modified
    (node,) = model.graph
    assert list(node.attributes.get_ints("pads")) == expected
    assert_equal_outputs(before, model)


def test_fuses_into_all_readers(build, assert_equal_outputs):
    model = _model(build, "(x, pads)  a = Conv(p, w)  b = Conv<strides=[1,1]>(p, w)  y = Add(a, b)", [0, 0, 1, 1, 0, 0, 1, 1])
    before = model.clone()
    FusePad()(model)
    assert [node.op_type for node in model.graph] == ["Conv", "Conv", "Add"]
    assert_equal_outputs(before, model)


@pytest.mark.parametrize(
    ("text", "pads", "arrays"),
    [
        ("(x, pads, one)  y = Conv(p, w)", [0, 0, 1, 1, 0, 0, 1, 1], {"one": np.array(1, np.float32)}),
        ('<mode="reflect">(x, pads)  y = Conv(p, w)', [0, 0, 1, 1, 0, 0, 1, 1], {}),
        ("(x, pads)  y = Conv(p, w)", [0, 0, -1, 0, 0, 0, 0, 0], {}),
        ("(x, pads)  y = MaxPool<kernel_shape=[3,3]>(p)", [0, 0, 1, 1, 0, 0, 1, 1], {}),
        ("(x, pads)  y = AveragePool<kernel_shape=[3,3], pads=[1,1,1,1]>(p)", [0, 0, 1, 1, 0, 0, 1, 1], {}),
        ("(x, pads)  y = AveragePool<kernel_shape=[2,2]>(p)", [0, 0, 2, 1, 0, 0, 1, 1], {}),
        ("(x, pads)  y = AveragePool<kernel_shape=[2,2], strides=[2,2], ceil_mode=1>(p)", [0, 0, 1, 1, 0, 0, 1, 1], {}),
        ("(x, pads)  a = Conv(p, w)  r = Relu(p)  s = ReduceMax(r)  y = Add(a, s)", [0, 0, 1, 1, 0, 0, 1, 1], {}),
        ("(x, pads)  y = Relu(p)", [0, 1, 1, 1, 0, 0, 1, 1], {}),
    ],
)
def test_leaves_the_rest_alone(build, text, pads, arrays):
    assert not FusePad()(_model(build, text, pads, **arrays)).modified
