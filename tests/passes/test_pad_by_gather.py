import numpy as np
import pytest

from spcompile.passes import prepare


@pytest.mark.parametrize("pads", [(0, 0, 1, 2, 0, 0, 3, 0), (0, 1, 0, 0, 0, 2, 0, 4)], ids=str)
@pytest.mark.parametrize("mode", ["reflect", "edge", "wrap"])
def test_every_mode(build, assert_equal_outputs, mode, pads):
    model = build(f'g (float[1,3,5,6] x) => (float[n,c,h,w] y) {{ y = Pad<mode="{mode}">(x, p) }}', opset=19, p=np.array(pads, np.int64))
    prepared = prepare(model)
    assert [node.op_type for node in prepared.graph] == ["Gather", "Gather"]
    assert_equal_outputs(model, prepared)


def test_named_axes(build, assert_equal_outputs):
    arrays = {"p": np.array([2, 1], np.int64), "axes": np.array([-2], np.int64)}
    model = build('g (float[1,3,5,6] x) => (float[n,c,h,w] y) { y = Pad<mode="edge">(x, p, , axes) }', **arrays)
    prepared = prepare(model)
    assert [node.op_type for node in prepared.graph] == ["Gather"]
    assert_equal_outputs(model, prepared)


@pytest.mark.parametrize("pads", [(0, 0, -1, 0, 0, 0, 2, 0)], ids=str)
def test_cutting_off_is_left_alone(build, pads):
    model = build('g (float[1,3,5,6] x) => (float[n,c,h,w] y) { y = Pad<mode="edge">(x, p) }', p=np.array(pads, np.int64))
    assert [node.op_type for node in prepare(model).graph] == ["Pad"]
