"""A program's kernels called one by one on memory of their own."""

import numpy as np
import pytest

from spcompile.lowering.lower import lower
from spcompile.passes import prepare
from spcompile.runtime.host import runs_here
from spcompile.runtime.on_host import ProgramOnHost
from spcompile.targets import load_target

TARGET = load_target("x86-avx2")


def test_inputs_are_such_as_a_model_is_given(build):
    """Indices are never negative, and flags are of both kinds."""
    if not (verdict := runs_here(TARGET.triple, TARGET.lanes_fp32)):
        pytest.skip(verdict.reason)
    table = np.random.default_rng(0).standard_normal((2, 16)).astype(np.float32)
    text = """g (int64[1,32] ids, bool[1,32,1] keep, float[1,32,16] z) => (float[1,32,16] y)
    { e = Gather(t, ids)  f = Cast<to=1>(keep)  kept = Mul(e, f)  y = Add(kept, z) }"""
    loaded = ProgramOnHost(lower(prepare(build(text, t=table)), TARGET).program, TARGET, 1)
    ids, keep, z = loaded._inputs
    assert set(ids) == {0, 1} and set(keep) == {False, True} and z.std() > 0.5
    for step in loaded.program.steps:
        assert loaded.call(step)() == 0
    assert (loaded.round() > 0).all() and len(loaded.round()) == len(loaded.program.steps)
    expected = np.where(keep[:, None], table[ids], 0) + z.reshape(32, 16)
    np.testing.assert_allclose(loaded._outputs[0].reshape(32, 16), expected, atol=1e-6)
