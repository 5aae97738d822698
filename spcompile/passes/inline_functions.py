"""Model functions are written out."""

import onnx_ir as ir
from onnx_ir.passes.common import InlinePass

from spcompile.passes.base import Pass


class InlineFunctions(Pass):
    """Before: y = MyBlock(x), a function of the model -> after: the nodes of MyBlock in its place."""

    def apply(self, model: ir.Model) -> bool:
        return InlinePass()(model).modified

    def ensures(self, model: ir.Model) -> None:
        assert not model.functions, list(model.functions)
