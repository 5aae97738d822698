"""Layers: convolutions of every geometry, products of every shape, what is fused behind them, and every sparsity pattern."""

import numpy as np
import pytest

from spcompile.ir.layers import find_layers
from spcompile.kernels.cpu.aligned_spmm import AlignedSpmm
from spcompile.kernels.cpu.lookup_gemv import LookupGemv
from spcompile.kernels.cpu.offset_gemv import OffsetGemv
from spcompile.kernels.cpu.offset_spmm import OffsetSpmm
from spcompile.kernels.cpu.subset_spmm import SubsetSpmm
from spcompile.kernels.cpu.window import Window
from spcompile.lowering import linear
from spcompile.lowering.tuning_store import TuningStore
from spcompile.passes import prepare
from spcompile.patterns import GENERAL, Choice, parse_choice
from spcompile.pruning import Magnitude, prune
from spcompile.targets import load_target

BOTH = ["x86-avx2", pytest.param("x86-avx512", marks=pytest.mark.needs_avx512)]


def normal(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng((seed, *shape)).standard_normal(shape).astype(np.float32)


def side_by_side(build, shape, convolutions):
    """A model with one output for each (attributes, weight), all of the same input."""
    names = [f"y{index}" for index in range(len(convolutions))]
    nodes = " ".join(f"{y} = Conv{attributes}(x, w{y})" for y, (attributes, _) in zip(names, convolutions, strict=True))
    outputs = ", ".join(f"float[n, c{y}, h{y}, v{y}] {y}" for y in names)
    text = f"g (float[{', '.join(map(str, shape))}] x) => ({outputs}) {{ {nodes} }}"
    return build(text, **{f"w{y}": weight for y, (_, weight) in zip(names, convolutions, strict=True)})


GEOMETRIES = {
    "strides": [(f"<strides=[{a},{b}], pads=[{k // 2},{k // 2},{k // 2},{k // 2}]>", (6, 3, k, k)) for k in (1, 2, 3, 5) for a, b in ((1, 1), (2, 1), (3, 3))],
    "pads": [(f"<pads={list(pads)}>", (4, 3, 3, 3)) for pads in ((0, 0, 0, 0), (1, 0, 0, 0), (0, 1, 0, 0), (0, 0, 1, 0), (0, 0, 0, 1), (2, 1, 0, 3))],
    "strided_pads": [(f"<strides=[2,2], pads={list(pads)}>", (4, 3, 3, 3)) for pads in ((0, 0, 1, 1), (1, 1, 0, 0), (2, 2, 2, 2), (0, 1, 2, 0))],
    "dilations": [
        ("<dilations=[2,2]>", (4, 3, 3, 3)),
        ("<dilations=[3,1], pads=[3,1,3,1]>", (4, 3, 3, 3)),
        ("<dilations=[2,3], strides=[2,1], pads=[2,2,2,2]>", (4, 3, 3, 2)),
    ],
    "shapes": [("<pads=[0,2,0,2]>", (2, 3, 1, 5)), ("<pads=[2,0,2,0]>", (2, 3, 5, 1)), ("", (1, 3, 11, 9)), ("<strides=[4,4]>", (17, 3, 4, 4))],
}


@pytest.mark.parametrize("target", BOTH)
@pytest.mark.parametrize("name", GEOMETRIES)
def test_geometry(build, assert_compiles, name, target):
    batch = 3 if target == "x86-avx2" else 1
    assert_compiles(side_by_side(build, (batch, 3, 11, 9), [(attributes, normal(*shape)) for attributes, shape in GEOMETRIES[name]]), target)


@pytest.mark.parametrize("size", [(1, 1), (1, 7), (5, 1), (2, 2), (16, 17)])
def test_odd_images(build, assert_compiles, size):
    """A 3 x 3 and a 1 x 1 convolution one behind the other, on images down to one pixel."""
    text = f"g (float[1,3,{size[0]},{size[1]}] x) => (float[n,c,h,v] y) {{ a = Conv<pads=[1,1,1,1]>(x, w)  b = Conv(a, v)  y = Conv<pads=[1,1,1,1]>(b, u) }}"
    assert_compiles(build(text, w=normal(5, 3, 3, 3), v=normal(7, 5, 1, 1), u=normal(2, 7, 3, 3)))


@pytest.mark.parametrize("target", BOTH)
@pytest.mark.parametrize("pattern", ["block4x1@0.5", "block8x1@0.7"])
def test_a_last_pixel_that_would_have_a_register_alone(build, assert_compiles, target, pattern):
    """13 rows of 15 and 14 pixels are 13 registers and one more pixel; behind it lies the border of the next window, or nothing."""
    text = """g (float[1,16,14,14] x) => (float[1,16,14,14] y, float[1,16,14,14] z) { [a] a = Conv<pads=[1,1,1,1]>(x, wa, b)  r = Relu(a)
    [b] c = Conv(r, wb)  s = Add(c, x)  [c] y = Conv<pads=[1,1,1,1]>(s, wc)  [d] z = Conv(y, wd) }"""
    arrays = {"wa": normal(16, 16, 3, 3), "wb": normal(16, 16, 1, 1), "wc": normal(16, 16, 3, 3, seed=1), "wd": normal(16, 16, 1, 1, seed=1), "b": normal(16)}
    model = prepare(build(text, **arrays))
    pruned = prune(model, {layer.name: parse_choice(pattern) for layer in find_layers(model)}, None, Magnitude()).model
    program = assert_compiles(pruned, target)
    assert any(isinstance(step.kernel, OffsetSpmm) and step.kernel.beside for step in program.steps)


@pytest.mark.parametrize("target", BOTH)
def test_groups_and_depthwise(build, assert_compiles, target):
    """Depthwise with one, two and three filters a channel, with strides and dilation; groups of several channels."""
    cases = [
        ("<group=6, pads=[1,1,1,1]>", (6, 1, 3, 3)),
        ("<group=6, strides=[2,2], pads=[1,1,1,1]>", (12, 1, 3, 3)),
        ("<group=6, dilations=[2,2]>", (18, 1, 3, 3)),
        ("<group=6>", (6, 1, 1, 1)),
        ("<group=3, pads=[1,1,1,1]>", (12, 2, 3, 3)),
        ("<group=2, strides=[2,2]>", (10, 3, 3, 3)),
    ]
    batch = 2 if target == "x86-avx2" else 1
    program = assert_compiles(side_by_side(build, (batch, 6, 9, 9), [(attributes, normal(*shape)) for attributes, shape in cases]), target)
    assert sum(isinstance(kernel, Window) for kernel in program.kernels) == 4


FUSED = """g (float[2,4,9,7] x, float[2,4,9,7] r) => (float[2,4,9,7] y0, float[2,4,9,7] y1, float[2,4,9,7] y2,
                                                  float[2,4,9,7] y3, float[2,4,9,7] y4, float[2,4,9,7] y5)
{ c0 = Conv<pads=[1,1,1,1]>(x, w, b)  a0 = Add(c0, r)  y0 = Relu(a0)
  c1 = Conv<pads=[1,1,1,1]>(y0, w, b)  a1 = Add(y0, c1)  y1 = Clip(a1, zero, six)
  c2 = Conv(y1, v)  h2 = HardSwish(c2)  y2 = Mul(h2, s)
  c3 = Conv<group=4, pads=[1,1,1,1]>(y2, d, b)  g3 = Sigmoid(c3)  m3 = Mul(c3, g3)  y3 = Sub(m3, y2)
  c4 = Conv<pads=[1,1,1,1]>(y3, w)  y4 = Gelu(c4)
  c5 = Conv<pads=[1,1,1,1]>(y4, w, b)  p5 = PRelu(c5, s)  y5 = Max(p5, y4, r) }"""


@pytest.mark.parametrize("target", BOTH)
def test_what_follows_a_convolution_is_fused(build, assert_compiles, target):
    arrays = {"w": normal(4, 4, 3, 3) / 6, "v": normal(4, 4, 1, 1), "d": normal(4, 1, 3, 3), "b": normal(4), "s": normal(4, 1, 1)}
    program = assert_compiles(build(FUSED, opset=20, **arrays, zero=np.float32(0).reshape(()), six=np.float32(6).reshape(())), target)
    assert [step.node for step in program.steps if step.layer] == [step.layer for step in program.steps if step.layer]
    assert len({step.layer for step in program.steps} - {None}) == 6


PRODUCTS = [(1, 33), (33,), (2, 33), (3, 33), (7, 33), (8, 33), (9, 33), (17, 33), (2, 3, 33), (2, 2, 5, 33), (1, 1, 33)]


@pytest.mark.parametrize("target", BOTH)
@pytest.mark.parametrize("rows", [1, 10, 64])
def test_products_with_constants(build, assert_compiles, rows, target):
    """MatMul on every number of positions, with a bias, a residual and an activation."""
    inputs = ", ".join(f"float[{', '.join(map(str, shape))}] x{i}" for i, shape in enumerate(PRODUCTS))
    outputs = ", ".join(f"float[{', '.join(map(str, (*shape[:-1], rows)))}] y{i}" for i, shape in enumerate(PRODUCTS))
    node = "p# = MatMul(x#, w)  a# = Add(p#, b)  r# = Relu(a#)  q# = MatMul(r#, v)  y# = Add(q#, r#)"
    nodes = [node.replace("#", str(i)) for i in range(len(PRODUCTS))]
    assert_compiles(build(f"g ({inputs}) => ({outputs}) {{ {' '.join(nodes)} }}", w=normal(33, rows), v=normal(rows, rows), b=normal(rows)), target)


def test_gemm(build, assert_compiles):
    """Both orders of the weight; a bias by row, by position, of both, of neither."""
    text = """g (float[5,12] x) => (float[5,9] a, float[5,9] b, float[5,9] c, float[5,9] d, float[5,9] e)
    { a = Gemm<transB=1>(x, w, row)  b = Gemm(x, v, column)  c = Gemm<alpha=0.5, beta=2.0>(x, v, both)  d = Gemm(x, v)  e = Gemm(x, v, one) }"""
    arrays = {"w": normal(9, 12), "v": normal(12, 9), "row": normal(9), "column": normal(5, 1), "both": normal(5, 9), "one": normal(1)}
    assert_compiles(build(text, **arrays))


def test_an_input_read_to_the_end_of_a_register_is_copied_first(build, assert_compiles):
    """Residuals straight from the caller's memory, which ends where the tensor ends; a residual that is every third element."""
    text = """g (float[1,3,5,5] x, float[1,20] v, float[1,60] u) => (float[1,3,5,5] y, float[1,20] z, float[1,20] t)
    { c = Conv(x, w)  y = Add(c, x)  m = MatMul(v, k)  z = Add(m, v)  n = MatMul(v, l)  s = Slice(u, start, end, axis, step)  t = Add(n, s) }"""
    ints = {"start": 2, "end": 60, "axis": 1, "step": 3}
    arrays = {name: np.array([number]) for name, number in ints.items()}
    program = assert_compiles(build(text, w=normal(3, 3, 1, 1), k=normal(20, 20), l=normal(20, 20, seed=1), **arrays))
    for step in program.steps:
        if isinstance(step.kernel, OffsetGemv | OffsetSpmm):
            assert all(program.buffers[argument.buffer].kind != "input" for argument in step.arguments[5:])


PATTERN_MODEL = """g (float[1,16,7,7] x, float[3,16] v, float[1,16] u) => (float[1,32,7,7] y, float[3,16] z, float[1,16] t)
{ [a] a = Conv<pads=[1,1,1,1]>(x, wa, b)  [b] c = Conv(a, wb)  y = Relu(c)  [c] z = MatMul(v, wc)  [d] t = MatMul(u, wc2) }"""


@pytest.mark.parametrize("sparsity", [0.5, 0.9])
@pytest.mark.parametrize("pattern", GENERAL, ids=lambda pattern: pattern.notation)
def test_patterns(build, assert_compiles, pattern, sparsity):
    arrays = {"wa": normal(32, 16, 3, 3), "wb": normal(32, 32, 1, 1), "wc": normal(16, 16), "wc2": normal(16, 16, seed=1), "b": normal(32)}
    if pattern.fixed_sparsity is not None and sparsity != 0.5:
        pytest.skip("it has one level")
    model = prepare(build(PATTERN_MODEL, **arrays))
    choice = Choice(pattern, sparsity if pattern.fixed_sparsity is None else pattern.fixed_sparsity)
    choices = {layer.name: choice for layer in find_layers(model) if pattern.fits(layer)}
    assert choices
    pruned = prune(model, choices, None, Magnitude()).model if choice.sparsity else model
    assert_compiles(pruned, "x86-avx2" if sparsity == 0.5 else None)


@pytest.mark.needs_avx512
@pytest.mark.parametrize("pattern", ["unstructured@0.95", "block2x1@0.9", "block4x1@0.8"])
def test_one_position_looks_x_up(build, assert_compiles, pattern):
    """Straight from the caller's memory, which ends with the last column."""
    choice = parse_choice(pattern)
    text = "g (float[1,1000] x) => (float[1,64] y) { [one] a = Gemm<transB=1>(x, w, b)  r = Relu(a)  [two] c = MatMul(r, v)  y = Add(c, a) }"
    model = prepare(build(text, w=normal(64, 1000), v=normal(64, 64), b=normal(64)))
    pruned = prune(model, {layer.name: choice for layer in find_layers(model)}, None, Magnitude()).model
    program = assert_compiles(pruned, "x86-avx512")
    assert any(isinstance(step.kernel, LookupGemv) for step in program.steps)


ALIGNED_MODEL = """g (float[2,64,{},{}] x) => (float[n,c,h,v] y) {{ a = Conv<pads=[1,1,1,1]>(x, w, b)  r = Relu(a)
  d = Conv<pads=[2,2,2,2], dilations=[2,2]>(r, u)  s = Add(d, r)  y = Conv<pads=[1,1,1,1], strides=[2,2]>(s, v) }}"""


@pytest.mark.parametrize("target", BOTH)
@pytest.mark.parametrize("size", [(20, 13), (18, 17), (11, 31)])
def test_single_weights_read_in_whole_registers(build, assert_compiles, monkeypatch, size, target):
    """Of three convolutions, one of them strided, one with its taps apart: three of the kernels that are offered for each."""
    random = np.random.default_rng(0)
    weights = {name: normal(16, channels, 3, 3) * (random.random((16, channels, 3, 3)) < 0.2) for name, channels in (("w", 64), ("u", 16), ("v", 16))}
    model = build(ALIGNED_MODEL.format(*size), b=normal(16), **weights)
    for at in (0.0, 0.5, 0.99):

        def pick(_, product, predicted, at=at):
            found = [kernel for kernel in product.kernels(load_target(target), 1) if isinstance(kernel, AlignedSpmm)]
            return found[int(at * len(found))]

        monkeypatch.setattr(TuningStore, "pick", lambda *_, pick=pick: pick)
        program = assert_compiles(model, target)
        assert sum(isinstance(kernel, AlignedSpmm) for kernel in program.kernels) == 3


@pytest.mark.parametrize("target", BOTH)
@pytest.mark.parametrize(("rows", "at"), [(2, 0.0), (2, 0.8), (4, 0.4), (4, 0.99)])
def test_single_weights_of_several_rows_at_a_time(build, assert_compiles, monkeypatch, rows, at, target):
    """The same three convolutions, with some of the kernels that are offered for each."""
    random = np.random.default_rng(0)
    weights = {name: normal(16, channels, 3, 3) * (random.random((16, channels, 3, 3)) < 0.5) for name, channels in (("w", 64), ("u", 16), ("v", 16))}

    def choose(site, blocks, target, threads, **_):
        found = [kernel for kernel in site.kernels(rows, blocks(rows), target, threads, False, blocks(1)) if isinstance(kernel, SubsetSpmm)]
        return found[int(at * len(found))], rows, None

    monkeypatch.setattr(linear, "fastest", choose)
    program = assert_compiles(build(ALIGNED_MODEL.format(18, 17), b=normal(16), **weights), target)
    assert sum(isinstance(kernel, SubsetSpmm) for kernel in program.kernels) == 3


def test_rows_and_layers_of_zeros(build, assert_compiles):
    """Half of the rows empty, the first among them; all of a layer empty; products of few positions too."""
    some = normal(16, 4, 3, 3)
    some[[0, 3, 4, 5, 6, 7, 9, 15]] = 0
    rows = normal(16, 12)
    rows[:, ::2] = 0
    text = """g (float[2,4,6,6] x, float[3,16] v, float[1,16] u, float[9,16] t)
    => (float[2,16,6,6] y, float[2,4,4,4] z, float[3,12] a, float[1,12] b, float[9,12] c)
    { y = Conv<pads=[1,1,1,1]>(x, some, bias)  z = Conv(y, none)  a = MatMul(v, rows)  b = MatMul(u, rows)  c = MatMul(t, rows) }"""
    assert_compiles(build(text, some=some, none=np.zeros((4, 16, 3, 3), np.float32), rows=rows, bias=normal(16)))


def test_threads(build, assert_compiles):
    text = """g (float[2,8,9,9] x) => (float[2,16,9,9] y, float[2,5] z) { a = Conv<pads=[1,1,1,1]>(x, w)  b = Relu(a)  c = Conv<pads=[1,1,1,1], group=16>(b, d)
    y = Add(c, b)  p = GlobalAveragePool(y)  f = Flatten(p)  z = MatMul(f, m) }"""
    assert_compiles(build(text, w=normal(16, 8, 3, 3), d=normal(16, 1, 3, 3), m=normal(16, 5)), threads=2)
