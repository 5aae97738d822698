"""What does not depend on the input is computed now; with static shapes that is all shape arithmetic."""

import logging

import onnx_ir as ir
from onnxscript.optimizer import fold_constants

from spcompile.ir.quiet import quiet
from spcompile.passes.base import Pass, nodes_of

LARGEST_CONSTANT = 1 << 24  # elements; larger results are left to be computed at run time


class FoldConstants(Pass):
    """Before: Reshape(x, Concat(Slice(Shape(x)), [-1])) -> after: Reshape(x, [1, -1]). An If on a constant becomes its branch."""

    def apply(self, model: ir.Model) -> bool:
        limits = {"input_size_limit": LARGEST_CONSTANT, "output_size_limit": LARGEST_CONSTANT}
        with quiet(logging.getLogger("onnxscript.optimizer")):
            return fold_constants(model, onnx_shape_inference=True, should_fold=lambda node: True, **limits).modified

    def ensures(self, model: ir.Model) -> None:
        for node in nodes_of(model, ("Shape", "Size")):
            shape = node.inputs[0].shape
            assert shape is None or not shape.is_static(), f"{node.name}: the shape of {node.inputs[0].name} is known"
