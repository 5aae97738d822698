"""What the accelerators' toolchain builds, and how it checks that."""

import numpy as np
import pytest

from spcompile.compiler.toolchains import toolchain_for
from spcompile.passes import prepare
from spcompile.targets import load_target


@pytest.mark.parametrize("name", ["zcu104", "s4-bf16"])
def test_outputs_that_nobody_computes_do_not_hinder_the_comparison(build, name, tmp_path):
    text = "g (float[1,8] x) => (float[1,8] y, float[8] anchors, float[1,8] x) { y = MatMul(x, w) }"
    model = prepare(build(text, w=np.eye(8, dtype=np.float32), anchors=np.arange(8, dtype=np.float32)))
    toolchain = toolchain_for(load_target(name), 1)
    built = toolchain.build(model, None, tmp_path)
    assert toolchain.verify(built, model, None, tmp_path, 0).worst_relative_difference == 0.0
    assert [value.name for value in built.reference.graph.outputs] == ["y", "anchors", "x"]
