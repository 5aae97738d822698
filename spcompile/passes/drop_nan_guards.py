"""torch exports attention with a guard for rows that are masked altogether, which softmax answers with NaN."""

import numpy as np
import onnx_ir as ir

from spcompile.ir.constants import constant
from spcompile.ir.rewiring import bypass
from spcompile.passes.base import NodePass


class DropNanGuards(NodePass):
    """Before: Where(IsNaN(Softmax(x)), 0, Softmax(x)) -> after: Softmax(x), where x is a product, and no constant added to it masks a whole row.

    The guard is `_safe_softmax` of torch's scaled_dot_product_attention.
    """

    op_types = ("Where",)

    def rewrite(self, node: ir.Node) -> bool:
        test, kept = node.inputs[0].producer(), node.inputs[2]
        softmax = kept.producer()
        if test is None or test.op_type != "IsNaN" or test.inputs[0] is not kept or softmax is None or softmax.op_type != "Softmax":
            return False
        if kept.shape is None or kept.shape != node.outputs[0].shape or softmax.attributes.get_int("axis", -1) not in (-1, len(kept.shape) - 1):
            return False
        if kept.is_graph_output() or not _leaves_something(softmax.inputs[0]):
            return False
        node.replace_input_with(0, kept)
        return bypass(node)


def _leaves_something(scores: ir.Value, may_mask: bool = True) -> bool:
    """Does every row of the last axis hold a number above minus infinity? Walks up to the product, past one mask at most; False for what it does not know."""
    node = scores.producer()
    if node is None or node.op_type not in ("MatMul", "Mul", "Div", "Add"):
        return False
    if node.op_type == "MatMul":
        return True
    swapped = node.op_type != "Div" and constant(node.inputs[1]) is None
    value, number = node.inputs[swapped], constant(node.inputs[not swapped])
    if number is None or (node.op_type == "Div" and not np.all(number)):
        return False
    if np.all(np.isfinite(number)):
        return _leaves_something(value, may_mask and node.op_type == "Add")
    mask = may_mask and node.op_type == "Add" and bool(np.all(np.any(np.isfinite(np.atleast_1d(number)), axis=-1)) and not np.any(number == np.inf))
    return mask and not np.isnan(number).any() and _leaves_something(value, False)
