"""Whole networks as GPU programs, their launches simulated, against ONNX Runtime."""

from dataclasses import replace

import numpy as np
import pytest

from spcompile.costs.gpu import WHOLE, predict
from spcompile.errors import UnsupportedOperator
from spcompile.ir.layers import find_layers, weight, with_weights
from spcompile.ir.session import run as reference
from spcompile.kernels.gpu.grid_map import GridMap
from spcompile.kernels.gpu.grid_transpose import GridTranspose
from spcompile.kernels.gpu.mma_product import MmaProduct
from spcompile.kernels.gpu.vector_product import VectorProduct
from spcompile.lowering import operators as cpu
from spcompile.lowering.gpu.lower import OPERATORS, lower_for_gpu
from spcompile.passes import prepare
from spcompile.patterns import parse_choice
from spcompile.targets import load_target
from tests.lowering.gpu.run import run

A100 = load_target("a100")
LIMITS = {"float16": 5e-3, "bfloat16": 4e-2}


def values(*shape: int) -> np.ndarray:
    return (np.random.default_rng(shape[0]).standard_normal(shape) * 0.3).astype(np.float32)


NETWORKS = {
    "convolutions": (
        """g (float[2,3,9,9] x) => (float[2,10,1,1] y) {
            a = Conv<pads=[1,1,1,1],strides=[2,2]>(x,w,b) s = Relu(a) m = MaxPool<kernel_shape=[3,3],strides=[2,2],pads=[1,1,1,1]>(s)
            c = Conv<pads=[1,1,1,1]>(m,w2,b2) d = Add(c,m) e = Relu(d) q = Conv<pads=[1,1,1,1],group=16>(e,wd)
            v = AveragePool<kernel_shape=[3,3],pads=[1,1,1,1]>(q) z = Conv(v,w3) y = GlobalAveragePool(z) }""",
        {"w": (16, 3, 3, 3), "b": (16,), "w2": (16, 16, 3, 3), "b2": (16,), "wd": (16, 1, 3, 3), "w3": (10, 16, 1, 1)},
    ),
    "groups": (
        """g (float[1,32,5,5] x) => (float[1,12,5,5] y) {
            a = Conv<pads=[1,1,1,1],group=2>(x,w,b) c = Relu(a) y = Conv<group=4>(c,w2) }""",
        {"w": (16, 16, 3, 3), "b": (16,), "w2": (12, 4, 1, 1)},
    ),
    "concatenation": (
        """g (float[1,8,6,6] x) => (float[1,5,6,6] y) {
            a = Conv(x,w) b = Conv<pads=[1,1,1,1]>(x,w2) c = Concat<axis=1>(a,b) s = Sigmoid(c) y = Conv(s,w3) }""",
        {"w": (12, 8, 1, 1), "w2": (20, 8, 3, 3), "w3": (5, 32, 1, 1)},
    ),
    "transformer": (
        """g (float[2,5,24] x) => (float[2,5,24] y) {
            q = MatMul(x,wq) k = MatMul(x,wk) v = MatMul(x,wv) qr = Reshape(q,split) kr = Reshape(k,split) vr = Reshape(v,split)
            qt = Transpose<perm=[0,2,1,3]>(qr) kt = Transpose<perm=[0,2,3,1]>(kr) vt = Transpose<perm=[0,2,1,3]>(vr)
            a = MatMul(qt,kt) d = Div(a,root) p = Softmax<axis=-1>(d) o = MatMul(p,vt) ot = Transpose<perm=[0,2,1,3]>(o) j = Reshape(ot,join)
            r = Add(j,x) n = LayerNormalization<axis=-1>(r,scale,shift) h = MatMul(n,w1) hb = Add(h,b1) g1 = Tanh(hb) f = MatMul(g1,w2) y = Add(f,r) }""",
        {"wq": (24, 24), "wk": (24, 24), "wv": (24, 24), "scale": (24,), "shift": (24,), "w1": (24, 36), "b1": (36,), "w2": (36, 24)},
    ),
    "attention": (
        """g (float[2,5,32] x, float[2,1,1,5] mask) => (float[2,5,32] y) {
            q = MatMul(x,wq) k = MatMul(x,wk) v = MatMul(x,wv) qr = Reshape(q,split) kr = Reshape(k,split) vr = Reshape(v,split)
            qt = Transpose<perm=[0,2,1,3]>(qr) kt = Transpose<perm=[0,2,3,1]>(kr) vt = Transpose<perm=[0,2,1,3]>(vr)
            a = MatMul(qt,kt) b = Add(a,mask) p = Softmax<axis=-1>(b) o = MatMul(p,vt) ot = Transpose<perm=[0,2,1,3]>(o) j = Reshape(ot,join)
            y = MatMul(j,wo) }""",
        {"wq": (32, 32), "wk": (32, 32), "wv": (32, 32), "wo": (32, 32)},
    ),
    "linear layers on images": (
        """g (float[1,3,5,8] x) => (float[1,3,5,8] y) {
            a = MatMul(x,w) c = Add(a,b) d = Sigmoid(c) e = MatMul(d,w2) y = Add(e,x) }""",
        {"w": (8, 6), "b": (6,), "w2": (6, 8)},
    ),
    "classifier": (
        "g (float[3,20] x) => (float[3,7] y) { a = Gemm<transB=1>(x,w,b) y = LogSoftmax<axis=-1>(a) }",
        {"w": (7, 20), "b": (7,)},
    ),
    "lines": (
        """g (float[1,8,20] x) => (float[n,c,l] y) {
            a = Conv<pads=[2,2],strides=[2]>(x,w,b) r = Relu(a) p = MaxPool<kernel_shape=[2],strides=[2]>(r) y = ConvTranspose<strides=[2]>(p,w2) }""",
        {"w": (16, 8, 5), "b": (16,), "w2": (16, 8, 2)},
    ),
    "up again": (
        """g (float[1,8,6,5] x) => (float[n,c,h,w] y) {
            a = ConvTranspose<strides=[2,2],pads=[1,1,1,1]>(x,w) s = Softplus(a) r = Resize<mode="linear">(s,,half) i = InstanceNormalization(r,g1,g2)
            y = Conv<pads=[1,1,1,1]>(i,w2) }""",
        {"w": (8, 16, 4, 4), "g1": (16,), "g2": (16,), "w2": (8, 16, 3, 3)},
    ),
    "recurrent": (
        """g (float[5,2,16] x) => (float[5,2,1,24] y) {
            l = LSTM<hidden_size=24>(x,w,r,b) q = Squeeze(l,front)
            g = GRU<hidden_size=24,linear_before_reset=1,direction="reverse">(q,w2,r2,b2) y = Transpose<perm=[0,2,1,3]>(g) }""",
        {"w": (1, 96, 16), "r": (1, 96, 24), "b": (1, 192), "w2": (1, 72, 24), "r2": (1, 72, 24), "b2": (1, 144)},
    ),
    "a choice": (
        "g (float[1,8,6,6] x) => (float[1,8,6,6] y) { c = Conv<pads=[1,1,1,1]>(x,w) l = Less(c,x) f = Where(l,c,x) y = Sin(f) }",
        {"w": (8, 8, 3, 3)},
    ),
}  # fmt: skip
EXTRA = {
    "up again": {"half": np.array([1, 1, 1.5, 2], np.float32)},
    "recurrent": {"front": np.array([1], np.int64)},
    "attention": {"split": np.array([2, 5, 2, 16]), "join": np.array([2, 5, 32])},
    "transformer": {"split": np.array([2, 5, 2, 12]), "join": np.array([2, 5, 24]), "root": np.array(3.4, np.float32)},
}


@pytest.fixture
def network(build):
    def network(name: str):
        text, shapes = NETWORKS[name]
        return prepare(build(text, **{key: values(*shape) for key, shape in shapes.items()}, **EXTRA.get(name, {})))

    return network


@pytest.mark.parametrize("card", ["a100", "h100"])
@pytest.mark.parametrize("dtype", LIMITS)
@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_equals_its_reference(network, name, dtype, card):
    model = network(name)
    feeds = {value.name: values(*value.shape.numpy()) for value in model.graph.inputs}
    program, _ = lower_for_gpu(model, load_target(card), dtype)
    found = run(program, feeds)
    for output, expected in reference(model, feeds).items():
        assert np.abs(found[output] - expected).max() <= LIMITS[dtype] * np.abs(expected).max()


FOUR_AXES = {
    "of one channel": ((2, 1, 12, 5), "Relu(x)"),
    "of few pixels": ((1, 2, 1, 6), "Relu(x)"),
    "of one number a row": ((3, 16, 1, 1), "GlobalAveragePool(x)"),
    "that a convolution made": ((1, 1, 5, 6), "Conv(x, k)"),
    "with channels last": ((1, 16, 3, 4), "Transpose<perm=[0,2,3,1]>(x)"),
}


@pytest.mark.parametrize(("shape", "made"), FOUR_AXES.values(), ids=FOUR_AXES)
def test_products_of_four_axes_run_along_the_last(build, shape, made):
    """Where their channels happen to lie adjacent, too: a convolution reads the same numbers along the second."""
    columns = 16 if "Transpose" in made else shape[-1]
    text = f"""g (float[{",".join(map(str, shape))}] x) => (float[a,b,c,d] y, float[e,f,g,h] z) {{
        t = {made} y = MatMul(t, w) z = Conv<pads=[1,1,1,1]>(t, v) }}"""
    channels = 3 if "Transpose" in made else shape[1]
    model = prepare(build(text, w=values(columns, 3), v=values(4, channels, 3, 3), k=values(1, 1, 1, 1)))
    feeds = {"x": values(*shape)}
    found = run(lower_for_gpu(model, A100, "float16")[0], feeds)
    for name, expected in reference(model, feeds).items():
        assert np.abs(found[name] - expected).max() <= LIMITS["float16"] * np.abs(expected).max()


def test_heads_are_read_and_written_where_they_lie(network):
    """Of two sequences: input and output change their type, the probabilities' rows are filled up to whole chunks and v is turned; nothing else is copied."""
    program, _ = lower_for_gpu(network("attention"), A100, "float16")
    copies = [step.kernel.title for step in program.steps if isinstance(step.kernel, GridMap)]
    assert len(copies) == 3, copies
    (turned,) = (step.kernel for step in program.steps if isinstance(step.kernel, GridTranspose))
    assert (turned.batch, turned.inner, turned.rows, turned.columns) == (4, 2, 5, 16)
    scores, result = (step.kernel for step in program.steps if isinstance(step.kernel, MmaProduct) and step.kernel.inner == 2)
    assert scores.operands[0].inner_stride == scores.operands[0].position_stride == 0 and result.y_strides == (32, 160, 16)


def test_batches_of_three_axes_are_copied(build):
    text = """g (float[2,8,3,8,4] x) => (float[2,3,4,8,8] y) {
        t = Transpose<perm=[0,2,4,1,3]>(x) u = Transpose<perm=[0,1,2,4,3]>(t) s = Softmax<axis=-1>(u) y = MatMul(t,s) }"""
    model, feeds = prepare(build(text)), {"x": values(2, 8, 3, 8, 4)}
    found = run(lower_for_gpu(model, A100, "float16")[0], feeds)["y"]
    expected = reference(model, feeds)["y"]
    assert np.abs(found - expected).max() <= LIMITS["float16"] * np.abs(expected).max()


def test_embeddings_are_gathered(build):
    model = prepare(build("g (int64[2,3] i) => (float[2,3,5] y) { a = Gather(t,i) y = MatMul(a,w) }", t=values(11, 8), w=values(8, 5)))
    feeds = {"i": np.array([[0, 10, 3], [-1, 5, 5]])}
    found = run(lower_for_gpu(model, A100, "float16")[0], feeds)["y"]
    np.testing.assert_allclose(found, reference(model, feeds)["y"], atol=2e-3)


def test_embeddings_of_moved_indices_are_refused(build):
    """Workspace holds 16-bit floats; whole numbers above 2048 would not survive in it."""
    text = "g (int64[2,4] i) => (float[8,6] y) { t = Transpose(i) f = Reshape(t, s) y = Gather(table, f) }"
    with pytest.raises(UnsupportedOperator, match="copies int64"):
        lower_for_gpu(prepare(build(text, table=values(50, 6), s=np.array([8]))), A100, "float16")


@pytest.fixture
def large(build):
    """A layer large enough for 2:4 to pay on an A100."""
    return prepare(build("g (float[4096,1024] x) => (float[4096,1024] y) { y = MatMul(x,w) }", w=values(1024, 1024)))


def kernels(model, gpu=A100) -> list[MmaProduct]:
    return [step.kernel for step in lower_for_gpu(model, gpu, "float16")[0].steps if isinstance(step.kernel, MmaProduct)]


def pruned(model, choice: str = "2:4"):
    layer, choice = find_layers(model)[0], parse_choice(choice)
    matrix = weight(model, layer)
    return with_weights(model, {layer.name: np.where(choice.pattern.mask(np.abs(matrix), choice.sparsity), matrix, 0)})


def test_two_of_four_is_seen_in_the_weights(large):
    assert [kernel.two_of_four for kernel in kernels(large)] == [False]
    assert [kernel.two_of_four for kernel in kernels(pruned(large))] == [True]


@pytest.mark.parametrize("width", [16, 32, 64])
def test_blocks_are_seen_in_the_weights(large, width):
    found = kernels(pruned(large, f"block{width}x{width}@0.9"))
    assert [kernel.block_width for kernel in found] == [width] and found[0].kept <= 0.4


def test_vectors_are_seen_in_the_weights(large):
    """Behind a launch that turns the inputs. Too many vectors, and cards whose shared memory is too small, stay dense."""

    def steps(choice: str, gpu=A100) -> list:
        return [
            step.kernel for step in lower_for_gpu(pruned(large, choice), gpu, "float16")[0].steps if isinstance(step.kernel, (GridTranspose, VectorProduct))
        ]

    turned, product = steps("block8x1@0.9")
    assert isinstance(turned, GridTranspose) and isinstance(product, VectorProduct) and 0.1 < product.kept < 0.2
    assert not steps("block8x1@0.4") and not steps("unstructured@0.9") and not steps("block8x1@0.9", load_target("t4"))
    assert steps("block16x1@0.9"), "blocks of sixteen rows are vectors of eight"


@pytest.mark.parametrize("node", ["MatMul(x,w)", "Conv(x,k)", "Conv<pads=[1,1,1,1]>(x,k)", "Conv<strides=[2,2]>(x,k)"])
def test_vectors_are_skipped_where_positions_lie_side_by_side(build, node):
    """In linear layers and 1 x 1 convolutions with as many outputs as inputs; the others are right too. On a slow card small layers gain."""
    weights = pruned(prepare(build("g (float[4,136] x) => (float[4,120] y) { y = MatMul(x,w) }", w=values(136, 120))), "block8x1@0.9")
    matrix = np.array(weight(weights, find_layers(weights)[0]))
    linear = node.startswith("MatMul")
    shape = (2, 60, 136) if linear else (2, 136, 8, 8)
    out = (2, 60, 120) if linear else (2, 120, *((10, 10) if "pads" in node else (4, 4) if "strides" in node else (8, 8)))
    text = f"g (float[{','.join(map(str, shape))}] x) => (float[{','.join(map(str, out))}] y) {{ a = {node} y = Relu(a) }}"
    given = {"w": matrix.T.copy()} if linear else {"k": matrix[:, :, None, None].copy()}
    model, gpu = prepare(build(text, **given)), replace(A100, sms=1, dense_flops=1e9, sparse_flops=1e9)
    program, _ = lower_for_gpu(model, gpu, "float16")
    assert any(isinstance(step.kernel, VectorProduct) for step in program.steps) == (node in ("MatMul(x,w)", "Conv(x,k)"))
    feeds = {"x": values(*shape)}
    expected = reference(model, feeds)["y"]
    assert np.abs(run(program, feeds)["y"] - expected).max() <= 5e-3 * np.abs(expected).max()


@pytest.mark.parametrize("choice", ["2:4", "block16x16@0.9", "block64x64@0.8", "channel@0.75"])
def test_a_pruned_layer_equals_its_reference(build, choice):
    """Where its kernel pays: few positions of a wide layer, weights read once."""
    model = pruned(
        prepare(build("g (float[8,1024] x) => (float[8,1024] y) { a = MatMul(x,w) b = Add(a,c) y = Relu(b) }", w=values(1024, 1024), c=values(1024))), choice
    )
    program, _ = lower_for_gpu(model, A100, "float16")
    feeds = {"x": values(8, 1024)}
    expected = reference(model, feeds)["y"]
    assert np.abs(run(program, feeds)["y"] - expected).max() <= 5e-3 * np.abs(expected).max()


def test_convolutions_skip_blocks_too(build):
    model = pruned(prepare(build("g (float[1,64,9,9] x) => (float[1,128,9,9] y) { y = Conv<pads=[1,1,1,1]>(x,w) }", w=values(128, 64, 3, 3))), "block64x64@0.8")
    gpu = replace(A100, dense_flops=1e12, sparse_flops=1e12)  # so slow that even a small layer gains
    program, _ = lower_for_gpu(model, gpu, "float16")
    assert [step.kernel.block_width for step in program.steps if isinstance(step.kernel, MmaProduct)] == [64]
    feeds = {"x": values(1, 64, 9, 9)}
    expected = reference(model, feeds)["y"]
    assert np.abs(run(program, feeds)["y"] - expected).max() <= 5e-3 * np.abs(expected).max()


def test_who_lowers_may_choose_the_form(large):
    """Of weights that are 2:4 and blocks at once, all forms that leave something out."""
    model, seen = pruned(pruned(large, "block64x64@0.5"), "2:4"), []

    def first(found: list, gpu) -> int:
        seen.extend(found)
        return 0

    program, _ = lower_for_gpu(model, A100, "float16", first)
    (taken,) = (step.kernel for step in program.steps if isinstance(step.kernel, MmaProduct))
    assert [kernel.title.split("_")[2] for kernel in seen] == ["dense", "sparse24", "blocks64", "blocks32", "blocks16", "vectors8"]
    assert "dense" in taken.title


@pytest.mark.parametrize("card", ["a100", "h200"])
def test_what_is_no_product_does_not_dominate(build, card):
    """By prediction, in a transformer's layer 1024 wide with 128 tokens: attention, normalisations, a residual and copies beside the products."""
    text = """g (float[1,128,1024] x) => (float[1,128,1024] y) {
        q = MatMul(x,wq) k = MatMul(x,wk) v = MatMul(x,wv) qr = Reshape(q,split) kr = Reshape(k,split) vr = Reshape(v,split)
        qt = Transpose<perm=[0,2,1,3]>(qr) kt = Transpose<perm=[0,2,3,1]>(kr) vt = Transpose<perm=[0,2,1,3]>(vr)
        a = MatMul(qt,kt) p = Softmax<axis=-1>(a) o = MatMul(p,vt) ot = Transpose<perm=[0,2,1,3]>(o) j = Reshape(ot,join) u = MatMul(j,wo)
        r = Add(u,x) n = LayerNormalization<axis=-1>(r,scale,shift) h = MatMul(n,w1) g1 = Relu(h) f = MatMul(g1,w2) y = Add(f,n) }"""
    square, ones = values(1024, 1024), np.ones(1024, np.float32)
    shapes = {"split": np.array([1, 128, 16, 64]), "join": np.array([1, 128, 1024])}
    wide = {"w1": values(1024, 4096), "w2": values(4096, 1024)}
    model = prepare(build(text, wq=square, wk=square, wv=square, wo=square, scale=ones, shift=ones, **shapes, **wide))
    program, _ = lower_for_gpu(model, load_target(card), "float16")
    times = [(isinstance(step.kernel, MmaProduct), predict(step.kernel.work(), load_target(card), splits=WHOLE).expected_s) for step in program.steps]
    assert sum(taken for product, taken in times if not product) < 0.4 * sum(taken for _, taken in times)


def test_two_of_four_falls_back_where_it_loses(network):
    """A small layer, and a card without sparse tensor cores, stay dense whatever the weights."""
    assert not any(kernel.two_of_four for kernel in kernels(pruned(network("classifier"))))


def test_a_card_without_sparse_tensor_cores_stays_dense(large):
    assert not any(kernel.two_of_four for kernel in kernels(pruned(large), load_target("t4")))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("g (float[1,8,16384,16384] x) => (float[1,8,1,1] y) { r = Relu(x) y = GlobalAveragePool(r) }", "numbers at once"),
        ("g (float[70000,2,8] x, float[70000,8,2] z) => (float[70000,2,2] y) { y = MatMul(x,z) }", r"node '\w*' takes \(1, 1, 70000\) thread blocks"),
    ],
)
def test_what_cannot_be_counted_is_refused(build, text, reason):
    with pytest.raises(UnsupportedOperator, match=reason):
        lower_for_gpu(prepare(build(text)), A100, "float16")


def test_what_a_cpu_compiles_a_gpu_does():
    """One check refuses for both, `check_operators`."""
    assert OPERATORS.keys() == cpu.OPERATORS.keys()


def test_what_is_not_known_is_named(build):
    model = prepare(build("g (float[1,4,4,4] x) => (float[1,4,4,4] y) { y = Acos(x) }"))
    with pytest.raises(UnsupportedOperator, match="Acos"):
        lower_for_gpu(model, A100, "float16")
