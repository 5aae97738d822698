"""One small compiled network for all tests of the runtime."""

from types import SimpleNamespace

import numpy as np
import pytest

from spcompile.lowering.lower import lower
from spcompile.passes import prepare
from spcompile.runtime.build import build_library
from spcompile.targets import load_target

TEXT = """g (float[2,3,8,8] x, float[2,4,8,8] r) => (float[2,4,8,8] y, float[2,5] z)
{ [conv] c = Conv<pads=[1,1,1,1]>(x, w, b)  a = Add(c, r)  y = Relu(a)  p = GlobalAveragePool(y)  f = Flatten(p)  [fc] z = MatMul(f, v) }"""


def weights() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    return {name: rng.standard_normal(shape).astype(np.float32) for name, shape in {"w": (4, 3, 3, 3), "b": (4,), "v": (4, 5)}.items()}


@pytest.fixture(scope="session")
def network(build, tmp_path_factory):
    """model, program, target, library of a network with two inputs and two outputs."""
    target = load_target("x86-avx2")
    model = prepare(build(TEXT, **weights()))
    program = lower(model, target).program
    library = tmp_path_factory.mktemp("network") / "library.so"
    build_library(program, target, 1, library)
    return SimpleNamespace(model=model, program=program, target=target, library=library)


@pytest.fixture(scope="session")
def feed(network):
    rng = np.random.default_rng(1)
    return {tensor.name: rng.standard_normal(tensor.shape).astype(np.float32) for tensor in network.program.inputs}
