import numpy as np
import pytest

from spcompile.passes import prepare

KINDS = (
    'mode="linear"',
    'mode="linear", coordinate_transformation_mode="align_corners"',
    'mode="linear", coordinate_transformation_mode="asymmetric"',
    'mode="linear", coordinate_transformation_mode="pytorch_half_pixel"',
    'mode="linear", antialias=1',
    'mode="cubic"',
    'mode="cubic", cubic_coeff_a=-0.5, exclude_outside=1',
    'mode="nearest", coordinate_transformation_mode="asymmetric", nearest_mode="ceil"',
    'mode="nearest", coordinate_transformation_mode="align_corners"',
)


def types(model) -> list[str]:
    return [node.op_type for node in model.graph]


@pytest.mark.parametrize("factors", [(1, 1, 2, 2), (1, 1, 2.5, 1.3), (1, 1, 0.6, 3)], ids=str)
@pytest.mark.parametrize("kind", KINDS)
def test_scales(build, assert_equal_outputs, kind, factors):
    model = build(f"g (float[2,3,5,7] x) => (float[n,c,h,w] y) {{ y = Resize<{kind}>(x, , s) }}", s=np.array(factors, np.float32))
    prepared = prepare(model)
    assert types(prepared) == ["MatMul", "Transpose", "MatMul", "Transpose"]
    assert_equal_outputs(model, prepared)


@pytest.mark.parametrize("kind", KINDS)
def test_sizes(build, assert_equal_outputs, kind):
    model = build(f"g (float[1,2,5,7] x) => (float[n,c,h,w] y) {{ y = Resize<{kind}, axes=[2,3]>(x, , , s) }}", s=np.array((9, 3), np.int64))
    prepared = prepare(model)
    assert types(prepared) == ["MatMul", "Transpose", "MatMul", "Transpose"]
    assert_equal_outputs(model, prepared)


def test_one_axis(build, assert_equal_outputs):
    model = build('g (float[1,2,5,7] x) => (float[n,c,h,w] y) { y = Resize<mode="linear">(x, , s) }', s=np.array((1, 1, 3, 1), np.float32))
    prepared = prepare(model)
    assert types(prepared) == ["MatMul"]
    assert_equal_outputs(model, prepared)


def test_a_line(build, assert_equal_outputs):
    model = build('g (float[1,2,7] x) => (float[n,c,l] y) { y = Resize<mode="linear">(x, , s) }', s=np.array((1, 1, 2), np.float32))
    prepared = prepare(model)
    assert types(prepared) == ["Transpose", "MatMul", "Transpose"]
    assert_equal_outputs(model, prepared)


def test_to_the_same_size_is_nothing(build):
    model = build('g (float[1,2,5,7] x) => (float[n,c,h,w] y) { r = Resize<mode="linear">(x, , , s)  y = Relu(r) }', s=np.array((1, 2, 5, 7), np.int64))
    assert types(prepare(model)) == ["Relu"]


def test_a_scale_that_gives_the_same_size_still_moves_pixels(build, assert_equal_outputs):
    model = build('g (float[1,2,5,7] x) => (float[n,c,h,w] y) { y = Resize<mode="linear">(x, , s) }', s=np.array((1, 1, 1.1, 1), np.float32))
    assert_equal_outputs(model, prepare(model))


@pytest.mark.parametrize("kind", ['mode="nearest"', 'mode="linear", coordinate_transformation_mode="tf_crop_and_resize"'])
def test_others_stay(build, kind):
    crop = np.array([0, 0, 0, 0, 1, 1, 0.9, 0.9], np.float32)
    model = build(f"g (float[1,2,5,7] x) => (float[n,c,h,w] y) {{ y = Resize<{kind}>(x, r, s) }}", r=crop, s=np.array((1, 1, 2, 2), np.float32))
    assert types(prepare(model)) == ["Resize"]
