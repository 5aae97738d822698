"""Layers compute in float32."""

import onnx_ir as ir

from spcompile.errors import ModelError
from spcompile.passes.base import Pass, nodes_of

LAYERS = ("Conv", "Gemm", "MatMul")


class RequireFloat32(Pass):
    """Before: any model -> after: the same model, or a ModelError that names the first Conv, Gemm or MatMul of another type."""

    def apply(self, model: ir.Model) -> bool:
        for node in nodes_of(model, LAYERS):
            for value in node.inputs:
                if value is not None and value.dtype != ir.DataType.FLOAT:
                    name, dtype = node.name or node.outputs[0].name, value.dtype.name.lower()
                    raise ModelError(f"node '{name}' ({node.op_type}) computes in {dtype}; convert the model to float32 first")
        return False

    def ensures(self, model: ir.Model) -> None:
        assert all(value is None or value.dtype == ir.DataType.FLOAT for node in nodes_of(model, LAYERS) for value in node.inputs)
