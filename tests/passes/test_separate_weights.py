import numpy as np
import pytest

import spcompile
from spcompile.ir.layers import find_layers, weight
from spcompile.passes import prepare

TIED = "tied (float[4, 16] x) => (float[4, 16] y, float[4, 16] z) { h = MatMul(x, w) g = Relu(h) y = Gemm<transB=1>(g, w) z = Gemm<transB=1>(h, w) }"
GROUPED = "grouped (float[1, 4, 5, 5] x, float[1, 8, 5, 5] u) => (float[1, 16, 3, 3] y, float[1, 16, 3, 3] z) { y = Conv(x, w) z = Conv<group=2>(u, w) }"


@pytest.fixture
def tied(build):
    return build(TIED, w=np.random.default_rng(0).standard_normal((16, 16)).astype(np.float32))


def test_a_matrix_and_its_transpose_are_two_weights(tied, assert_equal_outputs):
    prepared = prepare(tied)
    assert_equal_outputs(tied, prepared)
    one, two, three = find_layers(prepared)
    assert one.weight != two.weight == three.weight
    assert np.array_equal(weight(prepared, one), weight(prepared, two).T)


def test_groups_make_another_matrix(build, assert_equal_outputs):
    model = build(GROUPED, w=np.random.default_rng(0).standard_normal((16, 4, 3, 3)).astype(np.float32))
    prepared = prepare(model)
    assert_equal_outputs(model, prepared)
    one, two = find_layers(prepared)
    assert one.weight != two.weight


@pytest.mark.parametrize("calibrated", [False, True])
def test_tied_networks_compile(tied, calibrated, tmp_path):
    samples = np.random.default_rng(1).standard_normal((256, 16)).astype(np.float32)
    result = spcompile.compile(tied, target="arm", budget="1.2x", calibration={"x": samples} if calibrated else None, output=tmp_path / "tied.spc")
    assert result.plan.pruned
