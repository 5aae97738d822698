"""Every value has one known shape and type."""

import onnx_ir as ir
from onnx_ir.passes.common import ShapeInferencePass

from spcompile.errors import ModelError
from spcompile.passes.base import Pass


class InferShapes(Pass):
    """Before: y of shape [1, ?, 56] -> after: y of shape [1, 64, 56]. Raises ModelError for a value whose shape depends on the data."""

    def apply(self, model: ir.Model) -> bool:
        changed = ShapeInferencePass(strict_mode=False)(model).modified
        for node in model.graph:
            for value in node.outputs:
                if value.name and not _is_known(value):
                    raise ModelError(
                        f"node '{node.name}' ({node.op_type}) makes '{value.name}', whose shape is not known before the model runs; "
                        "only models of static shapes can be compiled"
                    )
        return changed

    def ensures(self, model: ir.Model) -> None:
        values = [*model.graph.inputs, *model.graph.initializers.values(), *(value for node in model.graph for value in node.outputs if value.name)]
        assert all(_is_known(value) for value in values), [value.name for value in values if not _is_known(value)]


def _is_known(value: ir.Value) -> bool:
    return value.dtype is not None and value.shape is not None and value.shape.is_static()
