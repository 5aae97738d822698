"""What does not depend on the input is computed now; with static shapes that is all shape arithmetic."""

import onnx_ir as ir
from onnxscript.optimizer._constant_folding import FoldConstantsPass

from spcompile.passes.base import Pass, nodes_of

LARGEST_CONSTANT = 1 << 24  # elements; larger results are left to be computed at run time


class FoldConstants(Pass):
    """Before: Reshape(x, Concat(Slice(Shape(x)), [-1])) -> after: Reshape(x, [1, -1]). An If on a constant becomes its branch."""

    def apply(self, model: ir.Model) -> bool:
        fold = FoldConstantsPass(shape_inference=True, input_size_limit=LARGEST_CONSTANT, output_size_limit=LARGEST_CONSTANT, should_fold=lambda node: True)
        return fold(model).modified

    def ensures(self, model: ir.Model) -> None:
        for node in nodes_of(model, ("Shape", "Size")):
            shape = node.inputs[0].shape
            assert shape is None or not shape.is_static(), f"{node.name}: the shape of {node.inputs[0].name} is known"
