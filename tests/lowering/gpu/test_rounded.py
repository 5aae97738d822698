"""The rounded network against the simulated kernels: nearer to them than fp32 is, and the same network otherwise."""

import numpy as np
import onnx_ir as ir
import pytest

from spcompile.ir.session import Session
from spcompile.lowering.gpu.lower import lower_for_gpu
from spcompile.lowering.gpu.rounded import HALVES, rounded
from spcompile.passes import prepare
from spcompile.targets import load_target
from tests.lowering.gpu.run import run

TEXT = """g (float[2,8,9,9] x) => (float[2,12] y, float[2,16,9,9] a) {
    a = Conv<pads=[1,1,1,1]>(x, k)
    b = Sigmoid(a)
    c = Mul(b, a)
    p = GlobalAveragePool(c)
    f = Flatten(p)
    s = Softmax(f)
    m = Mul(s, f)
    y = MatMul(m, w)
}"""


@pytest.fixture
def network(build):
    rng = np.random.default_rng(0)
    return prepare(build(TEXT, **{name: rng.standard_normal(shape).astype(np.float32) for name, shape in {"k": (16, 8, 3, 3), "w": (16, 12)}.items()}))


@pytest.mark.parametrize("dtype", HALVES)
def test_it_is_what_the_kernels_compute(network, dtype):
    feed = {"x": np.random.default_rng(1).standard_normal((2, 8, 9, 9)).astype(np.float32)}
    reference = rounded(network, dtype)
    kernels, exact, halves = run(lower_for_gpu(network, load_target("a100"), dtype)[0], feed), Session(network).run(feed), Session(reference).run(feed)
    assert list(halves) == list(kernels) == list(exact)
    for name, array in kernels.items():
        assert np.abs(halves[name] - array).mean() < 0.2 * np.abs(exact[name] - array).mean(), name


@pytest.mark.parametrize("dtype", HALVES)
def test_every_number_that_a_kernel_stores_is_a_half(network, dtype):
    reference = rounded(network, dtype)
    inner = [value.name for node in reference.graph if node.op_type == "Cast" for value in node.outputs if value.dtype == ir.DataType.FLOAT]
    assert len(inner) == 7  # the input, and all nodes but Sigmoid, which Mul's kernel computes as well, and Flatten, which moves nothing
    half = HALVES[dtype][0]
    found = Session(reference, tuple(inner)).run({"x": np.random.default_rng(2).standard_normal((2, 8, 9, 9)).astype(np.float32)})
    assert all((array == array.astype(half).astype(np.float32)).all() for array in found.values())
