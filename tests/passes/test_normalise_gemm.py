import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spcompile.ir.layers import find_layers
from spcompile.passes import prepare

GENERATOR = np.random.default_rng(0)


def _random(*shape: int) -> np.ndarray:
    return GENERATOR.normal(size=shape).astype(np.float32)


@given(
    alpha=st.sampled_from([1.0, 0.5]),
    beta=st.sampled_from([1.0, 2.0, 0.0]),
    trans_a=st.booleans(),
    trans_b=st.booleans(),
    constant_b=st.booleans(),
    c=st.sampled_from([None, (), (1,), (5,), (1, 5), (3, 1), (3, 5), "computed"]),
)
@settings(max_examples=60, deadline=None)
def test_every_gemm(build, assert_equal_outputs, alpha, beta, trans_a, trans_b, constant_b, c):
    b_shape = (5, 4) if trans_b else (4, 5)
    inputs = [f"float[{'4,3' if trans_a else '3,4'}] a"]
    inputs += [] if constant_b else [f"float[{b_shape[0]},{b_shape[1]}] b"]
    inputs += ["float[3,5] c"] if c == "computed" else []
    arrays = {"b": _random(*b_shape)} if constant_b else {}
    arrays |= {"c": _random(*c)} if isinstance(c, tuple) else {}
    attributes = f"alpha={alpha}, beta={beta}, transA={int(trans_a)}, transB={int(trans_b)}"
    model = build(f"g ({', '.join(inputs)}) => (float[3,5] y) {{ y = Gemm<{attributes}>(a, b{'' if c is None else ', c'}) }}", **arrays)
    prepared = prepare(model)
    assert_equal_outputs(model, prepared)
    layers = find_layers(prepared)
    assert len(layers) == constant_b
    if constant_b and c in ((), (1,), (5,), (1, 5)):
        assert layers[0].bias is not None
        assert "Add" not in [node.op_type for node in prepared.graph]


@pytest.mark.parametrize("trans_b", [0, 1])
def test_a_plain_gemm_is_left_alone(build, trans_b):
    shape = (5, 4) if trans_b else (4, 5)
    model = prepare(build(f"g (float[3,4] a) => (float[3,5] y) {{ y = Gemm<transB={trans_b}>(a, b, c) }}", b=_random(*shape), c=_random(5)))
    assert [node.op_type for node in model.graph] == ["Gemm"]
    assert list(model.graph.initializers) == ["b", "c"]
