import numpy as np
import pytest

from spcompile.passes import prepare

GENERATOR = np.random.default_rng(0)
NORM = {name: GENERATOR.uniform(0.5, 2, size=4).astype(np.float32) for name in ("gamma", "beta", "mean", "var")}


@pytest.mark.parametrize("shape", ["2,4", "2,4,6", "2,4,5,3"])
def test_becomes_a_scale_and_a_shift_of_the_right_rank(build, assert_equal_outputs, shape):
    model = build(f"g (float[{shape}] x) => (float[{shape}] y) {{ y = BatchNormalization<epsilon=0.1>(x, gamma, beta, mean, var) }}", **NORM)
    prepared = prepare(model)
    assert [node.op_type for node in prepared.graph] == ["Mul", "Add"]
    assert prepared.graph[0].inputs[1].shape.numpy() == (4,) + (1,) * (shape.count(",") - 1)
    assert_equal_outputs(model, prepared)


@pytest.mark.parametrize(
    ("layer", "weight"), [("Conv<group=2>(x, w)", (4, 1, 3, 3)), ("Conv<pads=[1,1,1,1]>(x, w, beta)", (4, 2, 3, 3))], ids=["grouped", "bias"]
)
def test_folds_into_a_convolution(build, assert_equal_outputs, layer, weight):
    text = f"g (float[1,2,5,5] x) => (float[a,b,c,d] y) {{ c = {layer}  y = BatchNormalization(c, gamma, beta, mean, var) }}"
    model = build(text, w=GENERATOR.normal(size=weight).astype(np.float32), **NORM)
    prepared = prepare(model)
    assert [node.op_type for node in prepared.graph] == ["Conv"]
    assert_equal_outputs(model, prepared)


def test_training_mode_is_left_alone(build):
    text = "g (float[2,4] x) => (float[2,4] y) { y, m, v = BatchNormalization<training_mode=1>(x, gamma, beta, mean, var) }"
    assert [node.op_type for node in prepare(build(text, **NORM)).graph] == ["BatchNormalization"]
