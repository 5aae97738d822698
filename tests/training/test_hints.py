"""The values inside a network that recovery compares."""

import onnx
import onnx_ir as ir
import pytest

from spcompile.ir.layers import find_layers
from spcompile.passes import prepare
from spcompile.pruning.network import Network
from spcompile.training.hints import hints
from tests.pruning.samples import network

HEADER = '<ir_version: 10, opset_import: ["" : 18]>'
MASKED = (
    HEADER
    + """
masked (float[1, 6] x, float[1, 6] mask) => (float[1, 6] y)
<float[6, 6] u = {0}, float[6, 6] v = {0}, float[6, 6] w = {0}>
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
)
LONE = (
    HEADER
    + """
lone (float[1, 6] x) => (float[1, 6] y)
<float[6, 6] u = {0}>
{
  a = Relu (x)
  [one] b = MatMul (a, u)
  y = Relu (b)
}
"""
)


def named(text: str, most: int) -> tuple[str, ...]:
    model = prepare(ir.from_proto(onnx.parser.parse_model(text.replace("{0}", "{" + ", ".join(["0"] * 36) + "}"))))
    return hints(Network(model), find_layers(model), most)


@pytest.mark.parametrize(("most", "chosen"), [(0, ()), (1, ("q",)), (3, ("r", "q")), (10, ("a", "r", "q"))])
def test_waists_behind_equal_shares_of_the_work_the_last_as_far_back_as_possible(most, chosen):
    """`d` is no waist while the residual sum waits for `a`; behind the pool there is less to compare than before it."""
    assert hints(Network(network()), find_layers(network()), most) == chosen


def test_what_no_layer_computed_may_stay_alive_beside_a_waist():
    assert named(MASKED, 3) == ("am", "bm"), "and what follows the last layer is as small as the output"


def test_a_network_may_have_none_to_compare():
    assert named(LONE, 3) == ()
