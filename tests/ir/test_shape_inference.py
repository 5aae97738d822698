"""Inference says nothing of its own: who asked refuses in one line."""

import numpy as np

from spcompile.ir.input_shapes import fix_input_shapes
from spcompile.ir.shape_inference import infer_shapes

UNFIT = "g (float[1,4] x) => (float[1,4] y) { y = Add(x, w) }"


def test_what_does_not_fit_is_not_logged(build, caplog):
    for infer in (infer_shapes, fix_input_shapes):
        infer(build(UNFIT, w=np.zeros((1, 4))))
    assert not caplog.records


def test_it_tells_whether_anything_was_new(build):
    model = build("g (float[1,4] x) => (float[1,4] y) { a = Relu(x) y = Relu(a) }")
    assert infer_shapes(model) and not infer_shapes(model)
    assert tuple(model.graph[0].outputs[0].shape) == (1, 4)
