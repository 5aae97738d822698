"""Networks at the edge of what the accelerator holds: the simulator and the quantised network have the same numbers, from inputs and to outputs as given."""

import numpy as np
import pytest

from spcompile.accelerator.export import export
from spcompile.accelerator.host import HostOperators
from spcompile.accelerator.partition import partition
from spcompile.accelerator.quantised import quantise
from spcompile.accelerator.reference import reference
from spcompile.accelerator.simulator import Simulator
from spcompile.ir.session import Session
from spcompile.passes import prepare
from spcompile.targets import load_target

NETWORKS = {
    "whole numbers on their way to the host": """g (float[1,8] x, int64[1,8] mask) => (float[1,1,8] y)
        { a = MatMul(x, w)  u = Unsqueeze(mask, one)  f = Cast<to=1>(u)  y = Mul(a, f) }""",
    "outputs that nobody computes": "g (float[1,8] x) => (float[1,8] y, float[8] anchors, float[1,8] x) { y = MatMul(x, w) }",
    "one output as another's view": "g (float[1,8] x) => (float[1,8] y, float[8] z, float[1,8] r) { y = MatMul(x, w)  z = Reshape(y, all)  r = Relu(y) }",
}
ANCHORS = np.arange(8, dtype=np.float32)
CONSTANTS = {"w": np.random.default_rng(0).standard_normal((8, 8)).astype(np.float32), "one": np.array([1]), "all": np.array([-1]), "anchors": ANCHORS}


@pytest.mark.parametrize("target", [load_target("zcu104"), load_target("s4-bf16")], ids=lambda target: target.name)
@pytest.mark.parametrize("name", NETWORKS)
def test_numbers_are_the_quantised_networks(build, name, target, tmp_path):
    rng, model = np.random.default_rng(1), prepare(build(NETWORKS[name], **CONSTANTS))
    feeds = {value.name: rng.normal(0, 2, value.shape.numpy()).astype(value.dtype.numpy()) for value in model.graph.inputs}
    assert "array" in {step.unit for step in partition(model, target)}
    network = quantise(model, feeds, target)
    export(network, target, tmp_path)
    simulator, expected = Simulator(tmp_path, target), Session(reference(network)).run(feeds)
    found = {"anchors": ANCHORS, **simulator.numbers(feeds, HostOperators(model))}
    for output, array in expected.items():
        np.testing.assert_array_equal(simulator.real(output, found[output]), array)
