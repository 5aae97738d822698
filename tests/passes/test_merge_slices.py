import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spcompile.passes.infer_shapes import InferShapes
from spcompile.passes.merge_slices import MergeSlices

BOUND = st.tuples(st.sampled_from([-7, -5, 0, 1, 3]), st.integers(4, 9), st.sampled_from([1, 2, 3]))


@given(first=BOUND, second=BOUND, axes=st.permutations([0, 1, 2, -3, -2, -1]))
@settings(max_examples=25, deadline=None)
def test_slices_of_different_axes_become_one(build, assert_equal_outputs, first, second, axes):
    arrays = {f"{name}{index}": np.array([value]) for index, bound in enumerate((first, second)) for name, value in zip("sem", bound, strict=True)}
    text = "g (float[7,7,7] x) => (float[a,b,c] y) { t = Slice(x, s0, e0, a0, m0)  y = Slice(t, s1, e1, a1, m1) }"
    model = build(text, **arrays, a0=np.array(axes[:1]), a1=np.array(axes[1:2]))
    InferShapes()(model)
    before = model.clone()
    assert MergeSlices()(model).modified == (axes[0] % 3 != axes[1] % 3)
    assert_equal_outputs(before, model)


@pytest.mark.parametrize("text", ["t = Slice(x, zero, end)  u = Slice(t, zero, end, one)  y = Add(t, u)", "t = Slice(x, i, end)  y = Slice(t, zero, end, one)"])
def test_leaves_the_rest_alone(build, text):
    model = build(f"g (float[4,4] x, int64[1] i) => (float[a,b] y) {{ {text} }}", zero=np.array([0]), end=np.array([99]), one=np.array([1]))
    model.graph[0].outputs[0].shape = model.graph.inputs[0].shape
    assert not MergeSlices()(model).modified
