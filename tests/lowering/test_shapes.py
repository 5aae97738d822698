"""Operators that move no data, or only copy."""

import numpy as np
import pytest


def ints(*numbers: int) -> np.ndarray:
    return np.array(numbers, np.int64)


def normal(*shape: int) -> np.ndarray:
    return np.random.default_rng(shape).standard_normal(shape).astype(np.float32)


def test_reshapes(build, assert_compiles):
    """Of compact tensors (nothing to do) and of transposed ones (a copy, or not); between every rank."""
    text = """g (float[2,3,4,5] x)
    => (float[6,20] a, float[2,60] b, float[120] c, float[2,1,3,20] d, float[5,4,6] e, float[20,6] f, float[2,3,4,5] h, float[3,2,20] i)
    { a = Reshape(x, sa)  b = Flatten(x)  c = Reshape(x, sc)  q = Unsqueeze(x, ax)  d = Reshape(q, sd)
      t = Transpose(x)  e = Reshape(t, se)  f = Reshape(t, sf)  s = Squeeze(q, ax)  h = Identity(s)
      u = Transpose<perm=[1,0,2,3]>(x)  i = Reshape(u, si) }"""
    arrays = {"sa": ints(6, 20), "sc": ints(-1), "ax": ints(1), "sd": ints(2, 1, 3, 20), "se": ints(5, 4, 6), "sf": ints(20, 6), "si": ints(3, 2, -1)}
    assert_compiles(build(text, **arrays), relative=0)


@pytest.mark.parametrize("perm", [(0, 1, 2, 3), (3, 2, 1, 0), (0, 2, 3, 1), (0, 3, 1, 2), (1, 0, 3, 2), (2, 0, 1, 3)])
def test_transposes_of_inputs_and_images(build, assert_compiles, perm):
    """Before and after a convolution, whose image has borders; behind it elementwise work and a convolution."""
    shape, back = (2, 5, 6, 7), np.argsort(perm).tolist()
    moved = [shape[axis] for axis in perm]
    text = f"""g (float[{",".join(map(str, moved))}] x) => (float[a,b,c,d] y, float[2,4,6,7] z)
    {{ t = Transpose<perm={back}>(x)  s = Conv<pads=[1,1,1,1]>(t, w)  y = Transpose<perm={list(perm)}>(s)
      r = Abs(y)  u = Transpose<perm={back}>(r)  z = Conv<pads=[1,1,1,1]>(u, v) }}"""
    assert_compiles(build(text, w=normal(5, 5, 3, 3), v=normal(4, 5, 3, 3)))


SLICES = [  # start, end, axis, step
    (1, 3, 0, 1),
    (0, 9223372036854775807, 1, 2),
    (-1, -9223372036854775808, 2, -1),
    (-3, -1, 3, 1),
    (6, 0, 3, -3),
    (-100, 100, -1, 3),
    (4, 2147483647, 2, 1),
]


def test_slices(build, assert_compiles):
    outputs = ", ".join(f"float[{', '.join(f'{y}{i}{k}' for k in range(4))}] {y}{i}" for i in range(len(SLICES)) for y in "yz")
    nodes, arrays = [], {}
    for i, numbers in enumerate(SLICES):
        arrays |= {f"{name}{i}": ints(number) for name, number in zip(("start", "end", "axis", "step"), numbers, strict=True)}
        nodes.append(f"y{i} = Slice(x, start{i}, end{i}, axis{i}, step{i})  z{i} = Slice(c, start{i}, end{i}, axis{i}, step{i})")
    text = f"g (float[3,4,5,7] x) => ({outputs}) {{ c = Conv<pads=[1,1,1,1]>(x, w)  {' '.join(nodes)} }}"
    assert_compiles(build(text, w=normal(4, 4, 3, 3), **arrays))


def test_several_slices_at_once_and_in_a_row(build, assert_compiles):
    text = """g (float[4,6,8] x) => (float[2,6,3] y, float[1,2,8] z)
    { a = Slice(x, starts, ends, axes)  y = Neg(a)  b = Slice(x, one, two)  z = Slice(b, second, fourth, axis) }"""
    arrays = {"starts": ints(1, 2), "ends": ints(3, -3), "axes": ints(0, -1), "one": ints(1), "two": ints(2)}
    arrays |= {"second": ints(2), "fourth": ints(4), "axis": ints(1)}
    assert_compiles(build(text, **arrays), relative=0)


def test_splits(build, assert_compiles):
    """Even and uneven, of images too; parts used in different ways."""
    text = """g (float[1,6,4,5] x) => (float[1,2,4,5] a, float[1,3,4,5] y, float[1,6,4,2] d, float[1,6,4,3] e)
    { c = Conv<pads=[1,1,1,1]>(x, w)  p, q, r = Split<axis=1, num_outputs=3>(c)  a = Mul(p, q)  s, t = Split<axis=1>(c, parts)
      y = Conv<pads=[1,1,1,1]>(t, v)  d, e = Split<axis=-1>(c, columns) }"""
    assert_compiles(build(text, w=normal(6, 6, 3, 3), v=normal(3, 4, 3, 3), parts=ints(2, 4), columns=ints(2, 3)))


@pytest.mark.parametrize("axis", [0, 1, 2, -1])
def test_concatenations(build, assert_compiles, axis):
    """Along each axis, of images, inputs, constants, transposed views, and the same value twice."""
    shape = [2, 4, 5, 6]
    shape[axis] *= 6
    text = f"""g (float[2,4,5,6] x, float[6,5,4,2] u) => (float[{",".join(map(str, shape))}] y)
    {{ c = Conv<pads=[1,1,1,1]>(x, w)  t = Transpose(u)  r = Relu(c)  y = Concat<axis={axis}>(c, x, k, t, r, c) }}"""
    assert_compiles(build(text, w=normal(4, 4, 3, 3), k=normal(2, 4, 5, 6)))


PADS = [((0, 0, 1, 2, 0, 0, 3, 0), (1, 3, 8, 8)), ((0, 1, -1, 0, 0, -2, 2, -3), (1, 2, 5, 3)), ((1, 0, 0, 0, 0, 0, 0, 0), (2, 3, 4, 6))]


@pytest.mark.parametrize(("pads", "shape"), PADS)
def test_padding(build, assert_compiles, pads, shape):
    """With zeros and with another number; negative padding crops."""
    form = ",".join(map(str, shape))
    text = f"g (float[1,3,4,6] x) => (float[{form}] y, float[{form}] z) {{ c = Conv(x, w)  y = Pad(c, pads)  z = Pad(x, pads, half) }}"
    assert_compiles(build(text, w=normal(3, 3, 1, 1), pads=ints(*pads), half=np.float32(0.5).reshape(())))


def test_padding_of_what_is_all_cropped(build, assert_compiles):
    assert_compiles(build("g (float[3,1] x) => (float[4,2] y) { y = Pad(x, pads, half) }", pads=ints(0, -1, 1, 2), half=np.float32(0.5).reshape(())))


def test_padding_of_some_axes(build, assert_compiles):
    text = "g (float[2,3,4] x) => (float[2,3,7] y) { y = Pad(x, pads, , axes) }"
    assert_compiles(build(text, pads=ints(1, 2), axes=ints(-1)))


def test_expand(build, assert_compiles):
    text = "g (float[3,1] x) => (float[2,3,4] y, float[2,3,4] z) { y = Expand(x, shape)  t = Neg(y)  z = Add(t, y) }"
    assert_compiles(build(text, shape=ints(2, 3, 4)))


REWRITTEN = [
    'y = Resize<mode="linear">(c, , s)',
    'p = Pad<mode="reflect">(c, around)  y = Conv(p, w)',
    "t = ConvTranspose<strides=[2,3], pads=[1,0,1,2]>(c, w)  r = Relu(t)  y = Conv<pads=[1,1,1,1]>(r, w)",
    "n = InstanceNormalization(c, scale, bias)  y = Conv<pads=[1,1,1,1]>(n, w)",
    "n = GroupNormalization<num_groups=2>(c, scale, bias)  r = Relu(n)  y = Conv<pads=[1,1,1,1]>(r, w)",
    "y = LRN<size=3>(c)",
    "y = SpaceToDepth<blocksize=1>(c)",
    "l = Less(c, x)  y = Where(l, c, x)",
    "y = Tile(c, twice)",
]
REWRITTEN_WITH = {
    "w": normal(4, 4, 3, 3),
    "s": np.array([1, 1, 1.5, 2], np.float32),
    "around": ints(0, 0, 1, 2, 0, 0, 1, 0),
    "scale": normal(4),
    "bias": normal(4),
    "twice": ints(1, 1, 2, 1),
}
RESIZES = [
    ('coordinate_transformation_mode="asymmetric", nearest_mode="floor"', 2, 3),
    ('coordinate_transformation_mode="half_pixel", nearest_mode="round_prefer_floor"', 3, 2),
    ('coordinate_transformation_mode="half_pixel", nearest_mode="round_prefer_ceil"', 1, 4),
    ("", 2, 2),
]


def test_nearest_neighbour(build, assert_compiles):
    outputs = ", ".join(f"float[1,3,{4 * a},{5 * b}] y{i}" for i, (_, a, b) in enumerate(RESIZES))
    nodes = " ".join(f'y{i} = Resize<mode="nearest"{", " * bool(modes)}{modes}>(c, , s{i})' for i, (modes, _, _) in enumerate(RESIZES))
    arrays = {f"s{i}": np.array([1, 1, a, b], np.float32) for i, (_, a, b) in enumerate(RESIZES)}
    text = f"g (float[1,3,4,5] x) => ({outputs}, float[1,2,8,10] z) {{ c = Conv<pads=[1,1,1,1]>(x, w)  {nodes}  z = Conv<pads=[1,1,1,1]>(y3, v) }}"
    assert_compiles(build(text, w=normal(3, 3, 3, 3), v=normal(2, 3, 3, 3), **arrays))


def test_a_scale_that_the_size_hides(build, assert_compiles):
    """2 pixels at 2.4 give 4, which is no plain doubling: the first is read three times."""
    modes = 'mode="nearest", coordinate_transformation_mode="asymmetric", nearest_mode="floor"'
    assert_compiles(build(f"g (float[1,1,2,2] x) => (float[1,1,4,4] y) {{ y = Resize<{modes}>(x, , s) }}", s=np.array([1, 1, 2.4, 2.4], np.float32)))


@pytest.mark.parametrize("text", REWRITTEN, ids=[text.partition("=")[2].strip().partition("(")[0] for text in REWRITTEN])
def test_what_passes_rewrite_compiles(build, assert_compiles, text):
    assert_compiles(build(f"g (float[1,4,9,8] x) => (float[n,c,h,w] y) {{ c = Conv<pads=[1,1,1,1]>(x, w)  {text} }}", opset=21, **REWRITTEN_WITH))


@pytest.mark.parametrize("mode", ["DCR", "CRD"])
def test_depth_to_space(build, assert_compiles, mode):
    text = f'g (float[2,3,4,5] x) => (float[2,2,12,15] y) {{ c = Conv<pads=[1,1,1,1]>(x, w)  y = DepthToSpace<blocksize=3, mode="{mode}">(c) }}'
    assert_compiles(build(text, w=normal(18, 3, 3, 3)))
