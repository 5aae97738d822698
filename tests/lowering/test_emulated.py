"""Code for ARM, executed: small networks on the cores we make code for, in the emulator."""

import numpy as np
import pytest

from spcompile.ir.session import run
from spcompile.lowering.lower import lower
from spcompile.passes import prepare
from spcompile.runtime import emulator
from spcompile.runtime.build import build_library
from spcompile.runtime.executor import Executor
from spcompile.runtime.verify import inputs_for
from spcompile.targets import load_target

pytestmark = pytest.mark.needs_emulator


def normal(*shape: int) -> np.ndarray:
    return (np.random.default_rng(shape).standard_normal(shape) / np.sqrt(np.prod(shape[1:]))).astype(np.float32)


def sparse(*shape: int) -> np.ndarray:
    return np.where(np.random.default_rng(1).random(shape) < 0.2, normal(*shape), 0).astype(np.float32)


def number(value: float) -> np.ndarray:
    return np.array(value, np.float32)


NETWORKS = {
    "residual": (
        """g (float[1,3,11,9] x) => (float[1,10] y) { a = Conv<pads=[1,1,1,1]>(x, w, b)  r = Relu(a)  c = Conv<strides=[2,2], pads=[1,1,1,1]>(r, s)
        k = Conv<strides=[2,2]>(r, o)  d = Add(c, k)  e = HardSwish(d)  m = MaxPool<kernel_shape=[3,3], strides=[2,2], pads=[1,1,1,1]>(e)
        p = GlobalAveragePool(m)  f = Flatten(p)  y = Gemm(f, v, z) }""",
        {"w": normal(16, 3, 3, 3), "b": normal(16), "s": sparse(16, 16, 3, 3), "o": sparse(16, 16, 1, 1), "v": normal(16, 10), "z": normal(10)},
    ),
    "depthwise and concatenation": (
        """g (float[2,6,7,8] x) => (float[2,8,7,8] y, float[2,12] z)
        { a = Conv<group=6, pads=[1,1,1,1]>(x, d)  c = Clip(a, zero, six)  e = Conv<pads=[1,1,1,1]>(c, s)
        f = Concat<axis=1>(c, e)  y = Conv(f, o)  t = Transpose<perm=[0,2,3,1]>(f)  z = ReduceMean<keepdims=0>(t, axes) }""",
        {"d": normal(6, 1, 3, 3), "s": sparse(6, 6, 3, 3), "o": normal(8, 12, 1, 1), "axes": np.array([1, 2]), "zero": number(0), "six": number(6)},
    ),
    "attention": (
        """g (int64[1,9] i, float[1,1,1,9] m) => (float[1,9,8] y) { e = Gather(t, i)  x = LayerNormalization(e, g, h)  q = MatMul(x, a)  k = MatMul(x, b)
        u = Transpose<perm=[0,2,1]>(k)  s = MatMul(q, u)
        l = Add(s, half)  p = Softmax(l)  o = MatMul(p, x)  n = MatMul(o, c)  r = Add(n, x)  f = Gelu(r)  w = Sigmoid(f)  v = Tanh(w)  y = Exp(v) }""",
        {"t": normal(7, 8), "g": normal(8), "h": normal(8), "a": normal(8, 8), "b": sparse(8, 8), "c": sparse(8, 8), "half": number(0.5)},
    ),
}


@pytest.fixture(scope="module", params=["cortex-a53", "cortex-x1"])
def machine(request):
    with emulator.session(load_target(request.param).mcpu) as remote:
        yield load_target(request.param), remote


@pytest.mark.parametrize("name", NETWORKS)
def test_networks(build, machine, tmp_path, name):
    text, arrays = NETWORKS[name]
    model, (target, remote) = build(text, opset=20, **arrays), machine
    program = lower(prepare(model), target).program
    library = tmp_path / f"{name.split()[0]}-{target.name}.so"
    build_library(program, target, 1, library)
    remote.upload(bytearray(library.read_bytes()), library.name)
    executor = Executor(
        remote.load_module(library.name), remote.cpu(), program.inputs, program.outputs, program.workspace_elements, program.values, program.indices
    )
    for feed in inputs_for(program, None, 0)[:2]:
        expected, found = run(model, feed), executor.run(**feed)
        for output, array in expected.items():
            np.testing.assert_allclose(found[output], array, rtol=0, atol=1e-5 * np.abs(array).max(), err_msg=output)
