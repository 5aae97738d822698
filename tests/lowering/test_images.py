"""Layout planning: borders, pitches, concatenations written in place; and that graphs of many branches compute the same."""

import numpy as np
import pytest

from spcompile.kernels.cpu.elementwise import Elementwise
from spcompile.lowering.images import RUN, ImagePlan
from spcompile.lowering.tasks import group
from spcompile.passes import prepare

BOTH = ["x86-avx2", pytest.param("x86-avx512", marks=pytest.mark.needs_avx512)]


def normal(*shape: int, seed: int = 0) -> np.ndarray:
    return (np.random.default_rng((seed, *shape)).standard_normal(shape) / np.sqrt(max(1, np.prod(shape[1:])))).astype(np.float32)


BRANCHES = {
    "parts written in place": (
        """g (float[1,4,6,7] x) => (float[1,5,6,7] y) { a = Conv<pads=[1,1,1,1]>(x, w)  b = Conv(x, v)  c = Relu(b)
        d = Concat<axis=1>(a, c)  y = Conv<pads=[1,1,1,1]>(d, u) }""",
        {"w": normal(4, 4, 3, 3), "v": normal(3, 4, 1, 1), "u": normal(5, 7, 3, 3)},
    ),
    "a part is read with a border before all parts are there": (
        """g (float[1,4,6,7] x) => (float[1,5,6,7] y) { a = Conv<pads=[1,1,1,1]>(x, w)  b = Conv<pads=[2,2,2,2]>(a, v)
        c = Conv<group=4, pads=[1,1,1,1]>(b, d)  m = MaxPool<kernel_shape=[3,3], pads=[1,1,1,1]>(b)  e = Concat<axis=1>(m, b, a, c)
        y = Conv<pads=[1,1,1,1]>(e, u) }""",
        {"w": normal(4, 4, 3, 3), "v": normal(4, 4, 5, 5), "d": normal(4, 1, 3, 3), "u": normal(5, 16, 3, 3)},
    ),
    "dense blocks: concatenations of concatenations": (
        """g (float[1,4,6,7] x) => (float[1,4,6,7] y) { s = Conv<pads=[1,1,1,1]>(x, w)  a = Conv<pads=[1,1,1,1]>(s, w)  d1 = Concat<axis=1>(s, a)  r1 = Relu(d1)
        b = Conv<pads=[1,1,1,1]>(r1, v)  d2 = Concat<axis=1>(d1, b)  r2 = Mul(d2, g)  r = Relu(r2)  c = Conv<pads=[1,1,1,1]>(r, u)
        d3 = Concat<axis=1>(d2, c)  p = AveragePool<kernel_shape=[3,3], pads=[1,1,1,1]>(d3)  y = Conv(p, t) }""",
        {"w": normal(4, 4, 3, 3), "v": normal(4, 8, 3, 3), "u": normal(4, 12, 3, 3), "t": normal(4, 16, 1, 1), "g": normal(12, 1, 1)},
    ),
    "a part of two concatenations, twice in one": (
        """g (float[1,4,6,7] x) => (float[1,8,6,7] e, float[1,12,6,7] f) { a = Conv<pads=[1,1,1,1]>(x, w)  b = Conv<pads=[1,1,1,1]>(a, w)
        e = Concat<axis=1>(a, b)  f = Concat<axis=1>(b, a, b) }""",
        {"w": normal(4, 4, 3, 3)},
    ),
    "images of three batches, with an input among the parts": (
        """g (float[3,4,6,7] x) => (float[3,4,6,7] y) { a = Conv<pads=[1,1,1,1]>(x, w)  b = Concat<axis=1>(a, x)  c = Conv<pads=[1,1,1,1]>(b, v)
        d = Concat<axis=1>(a, c)  y = Conv<pads=[1,1,1,1]>(d, v) }""",
        {"w": normal(4, 4, 3, 3), "v": normal(4, 8, 3, 3)},
    ),
    "strided readers of one image, with and without borders": (
        """g (float[2,4,9,9] x) => (float[2,4,5,5] y, float[2,4,5,5] z, float[2,4,4,4] t, float[2,4,5,5] q) { a = Conv<pads=[1,1,1,1]>(x, w)
        y = Conv<strides=[2,2], pads=[1,1,1,1]>(a, w)  z = Conv<strides=[2,2]>(a, o)  t = Conv<strides=[2,2]>(a, w)
        m = MaxPool<kernel_shape=[3,3], strides=[2,2], pads=[1,1,1,1]>(a)  p = AveragePool<kernel_shape=[3,3], strides=[2,2], pads=[1,1,1,1]>(a)
        q = Add(m, p) }""",
        {"w": normal(4, 4, 3, 3), "o": normal(4, 4, 1, 1)},
    ),
    "strided readers, channel by channel, of the image itself": (
        """g (float[2,4,9,15] x) => (float[2,8,5,8] y, float[2,4,4,13] z, float[2,4,3,3] t) { a = Conv<pads=[1,1,1,1]>(x, w)
        d = Conv<group=4, strides=[2,2], pads=[1,1,1,1]>(a, k)  r = Relu(d)  m = MaxPool<kernel_shape=[3,3], strides=[2,2], pads=[1,1,1,1]>(a)
        e = Add(r, m)  f = Conv<pads=[1,1,1,1]>(e, w)  s = AveragePool<kernel_shape=[1,1], strides=[2,2]>(a)  c = Concat<axis=1>(f, s)
        y = Conv<pads=[1,1,1,1], group=8>(c, l)  z = Conv<group=4, strides=[2,1]>(a, k)  t = Conv<group=4, strides=[4,5], pads=[1,1,1,1]>(a, k) }""",
        {"w": normal(4, 4, 3, 3), "k": normal(4, 1, 3, 3), "l": normal(8, 1, 3, 3)},
    ),
    "residuals over images of different pitch": (
        """g (float[1,4,8,8] x) => (float[1,4,8,8] y) { a = Conv<pads=[1,1,1,1]>(x, w)  b = Conv<pads=[2,2,2,2]>(a, v)  c = Add(b, a)
        d = Conv(x, o)  e = Add(c, d)  f = Add(e, x)  s = MaxPool<kernel_shape=[2,2], strides=[2,2]>(f)
        t = Resize<mode="nearest", coordinate_transformation_mode="asymmetric", nearest_mode="floor">(s, , two)
        y = Add(t, f) }""",
        {"w": normal(4, 4, 3, 3), "v": normal(4, 4, 5, 5), "o": normal(4, 4, 1, 1), "two": np.array([1, 1, 2, 2], np.float32)},
    ),
    "squeeze and excite": (
        """g (float[2,6,7,7] x) => (float[2,6,7,7] y) { a = Conv<group=6, pads=[1,1,1,1]>(x, d)  h = HardSwish(a)  p = GlobalAveragePool(h)  f = Conv(p, v, b)
        r = Relu(f)  u = Conv(r, k)  g = HardSigmoid(u)  m = Mul(h, g)  c = Conv(m, w)  y = Add(c, x) }""",
        {"d": normal(6, 1, 3, 3), "v": normal(3, 6, 1, 1), "b": normal(3), "k": normal(6, 3, 1, 1), "w": normal(6, 6, 1, 1)},
    ),
    "channel shuffle": (
        """g (float[1,8,5,5] x) => (float[1,8,5,5] y) { l, r = Split<axis=1, num_outputs=2>(x)  c = Conv<pads=[1,1,1,1], group=4>(r, d)  e = Conv(c, w)
        k = Concat<axis=1>(l, e)  s = Reshape(k, five)  t = Transpose<perm=[0,2,1,3,4]>(s)  u = Reshape(t, four)  y = Conv<pads=[1,1,1,1]>(u, v) }""",
        {"d": normal(4, 1, 3, 3), "w": normal(4, 4, 1, 1), "v": normal(8, 8, 3, 3), "five": np.array([1, 2, 4, 5, 5]), "four": np.array([1, 8, 5, 5])},
    ),
    "values that are outputs and go on": (
        """g (float[1,4,6,6] x) => (float[1,4,6,6] x, float[1,4,6,6] a, float[1,4,6,6] r, float[1,4,6,6] y, float[4] b) { a = Conv<pads=[1,1,1,1]>(x, w, b)
        r = Relu(a)  c = Conv<pads=[1,1,1,1]>(r, w)  s = Add(c, a)  y = Neg(s) }""",
        {"w": normal(4, 4, 3, 3), "b": normal(4)},
    ),
    "one input for many": (
        """g (float[1,4,6,6] x, float[1,4,6,6] unused) => (float[1,4,6,6] y, float[1,4] z, float[1,6,6,4] t)
        { a = Conv<pads=[1,1,1,1]>(x, w)  b = Conv<pads=[1,1,1,1], group=4>(x, d)
        c = MaxPool<kernel_shape=[3,3], pads=[1,1,1,1]>(x)  e = Sum(a, b, c, x)  y = Relu(e)
        p = ReduceMean<keepdims=0>(x, hw)  z = Softmax(p)  t = Transpose<perm=[0,2,3,1]>(x) }""",
        {"w": normal(4, 4, 3, 3), "d": normal(4, 1, 3, 3), "hw": np.array([2, 3])},
    ),
}


@pytest.mark.parametrize("name", BRANCHES)
def test_branches(build, assert_compiles, name):
    text, arrays = BRANCHES[name]
    assert_compiles(build(text, **arrays))


@pytest.mark.parametrize("name", list(BRANCHES)[:3])
def test_branches_on_narrow_registers(build, assert_compiles, name):
    text, arrays = BRANCHES[name]
    assert_compiles(build(text, **arrays), "x86-avx2", threads=2)


def planned(build, text: str, **arrays) -> dict:
    """Images by the name of their value, and the plan."""
    plan = ImagePlan(group(prepare(build(text, **arrays)).graph))
    return {value.name: image for value, image in plan.images.items()} | {"": plan}


def test_borders_are_what_windows_need(build):
    text = """g (float[1,4,9,9] x) => (float[1,4,5,5] y, float[1,4,9,9] z) { a = Conv<pads=[1,1,1,1]>(x, w)  b = Conv<pads=[0,2,0,2]>(a, k)
    y = Conv<strides=[2,2], pads=[1,1,1,1]>(b, w)  z = Conv(b, o) }"""
    images = planned(build, text, w=normal(4, 4, 3, 3), k=normal(4, 4, 1, 5), o=normal(4, 4, 1, 1))
    assert (images["a"].border_rows, images["a"].border_columns) == (0, 2)
    assert not images["b"].bordered and not images["y"].bordered  # a strided reader takes phase planes of its own
    assert sorted((i.channels, i.height, i.border_rows) for i in images[""].relayouts.values()) == [(4, 9, 1), (16, 5, 1)]
    assert images["a"].pitch == images["b"].pitch == images["z"].pitch >= 11
    assert images["y"].pitch >= 6


def test_a_strided_reader_of_single_channels_needs_no_copy(build):
    text = """g (float[1,4,9,9] x) => (float[1,4,5,5] y) { a = Conv(x, o)  y = Conv<group=4, strides=[2,2], pads=[1,1,1,1]>(a, k) }"""
    images = planned(build, text, k=normal(4, 1, 3, 3), o=normal(4, 4, 1, 1))
    assert (images["a"].border_rows, images["a"].border_columns) == (1, 1) and not images["y"].bordered
    assert images["a"].pitch >= 10 > images["y"].pitch
    assert len(images[""].relayouts) == 1  # of the input, for the first


BEFORE = [("Relu(a)", 0), ("Clip(a, zero, six)", 0), ("Clip(a, none, six)", 0), ("Clip(a, less, six)", 1), ("Clip(a, zero, less)", 1)]


@pytest.mark.parametrize(("before", "copies"), [*BEFORE, ("Clip(a)", 1), ("Neg(a)", 1)])
def test_a_padded_maximum_of_what_is_never_negative_needs_no_border_of_its_own(build, assert_compiles, before, copies):
    text = f"""g (float[1,4,9,9] x) => (float[1,4,5,5] y) {{ a = Conv(x, o)  b = {before}
    y = MaxPool<kernel_shape=[3,3], strides=[2,2], pads=[1,1,1,1]>(b) }}"""
    numbers = {"zero": np.float32(0), "six": np.float32(6), "less": np.float32(-1), "none": np.zeros(1, np.float32)}
    arrays = {"o": normal(4, 4, 1, 1)} | {name: np.array(value) for name, value in numbers.items() if name in before}
    assert len(planned(build, text, **arrays)[""].relayouts) == 1 + copies  # one is of the network's input
    assert_compiles(build(text, **arrays))


def test_images_keep_their_rows_and_channels_apart(build):
    for text, arrays in BRANCHES.values():
        for image in {**planned(build, text, **arrays), "": None}.values():
            if image is None:
                continue
            top = image.parent or image
            assert image.pitch >= image.width + image.border_columns
            assert image.positions <= image.run <= max(image.channel_stride, 1)
            assert image.channel_stride == 1 or image.channel_stride >= (image.height + image.border_rows) * image.pitch
            assert image.channel_stride == top.channel_stride and image.pitch == top.pitch
            assert top.front >= top.border_rows * top.pitch + top.border_columns
            assert image.front % RUN == 0 or image.channel_stride == 1
            assert image.parent_channel + image.channels <= top.channels


def test_parts_are_written_in_place(build, lowered):
    """No copy between the convolutions and the concatenation; one image is copied where it is part of two."""
    text, arrays = BRANCHES["parts written in place"]
    steps = lowered(build(text, **arrays)).steps
    copies = [step.node for step in steps if isinstance(step.kernel, Elementwise)]
    assert len(copies) == 2  # the input into its image, the image to the output
    text, arrays = BRANCHES["a part of two concatenations, twice in one"]
    images = planned(build, text, **arrays)
    assert images["a"].parent is images["b"].parent is images["e"] and images["b"].parent_channel == 4
