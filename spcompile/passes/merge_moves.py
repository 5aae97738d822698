"""Chains of nodes that only move data."""

import onnx_ir as ir
from onnxscript.rewriter import RewritePass
from onnxscript.rewriter.rules import common

from spcompile.passes.base import Pass

RULES = (
    common.cast_cast_rule,
    common.reshape_reshape_rule,
    common.transpose_transpose_rule,
    common.unsqueeze_unsqueeze_rule,
)


class MergeMoves(Pass):
    """Before: Transpose(Transpose(x)), Cast(Cast(x)) -> after: Transpose(x), Cast(x). Rules of onnxscript's rewriter."""

    def apply(self, model: ir.Model) -> bool:
        return RewritePass(RULES)(model).modified
