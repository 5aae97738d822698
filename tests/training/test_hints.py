"""The values inside a network that recovery compares."""

import numpy as np
import onnx_ir as ir
import pytest

from spcompile.ir.layers import find_layers
from spcompile.passes import prepare
from spcompile.pruning.network import Network
from spcompile.training.hints import hints
from tests.pruning.samples import network

SQUARE = np.zeros((6, 6), np.float32)
MASKED = """
masked (float[1, 6] x, float[1, 6] mask) => (float[1, 6] y)
{
  kept = Relu (mask)
  [one] a = MatMul (x, u)
  am = Mul (a, kept)
  [two] b = MatMul (am, v)
  bm = Mul (b, kept)
  [three] c = MatMul (bm, w)
  y = Mul (c, kept)
}
"""
LONE = """
lone (float[1, 6] x) => (float[1, 6] y)
{
  a = Relu (x)
  [one] b = MatMul (a, u)
  y = Relu (b)
}
"""


def chosen_of(model: ir.Model) -> tuple[str, ...]:
    model = prepare(model)
    return hints(Network(model), find_layers(model), 3)


@pytest.mark.parametrize(("most", "chosen"), [(0, ()), (1, ("q",)), (3, ("r", "q")), (10, ("a", "r", "q"))])
def test_waists_behind_equal_shares_of_the_work_the_last_as_far_back_as_possible(most, chosen):
    """`d` is no waist while the residual sum waits for `a`; behind the pool there is less to compare than before it."""
    assert hints(Network(network()), find_layers(network()), most) == chosen


def test_what_no_layer_computed_may_stay_alive_beside_a_waist(build):
    assert chosen_of(build(MASKED, u=SQUARE, v=SQUARE, w=SQUARE)) == ("am", "bm"), "and what follows the last layer is as small as the output"


def test_a_network_may_have_none_to_compare(build):
    assert chosen_of(build(LONE, u=SQUARE)) == ()
