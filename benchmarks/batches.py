"""A network of one input at a time, as one of several."""

import numpy as np
import onnx_ir as ir

from spcompile.compiler.inputs import prepared
from spcompile.ir.constants import constant, rewrite_constant


def with_batch(model: ir.Model, batch: int) -> ir.Model:
    """The prepared network for `batch` inputs in one call. Every input's first dimension is the batch, and so is the first of every Reshape's result."""
    if batch == 1:
        return model
    copy = ir.from_proto(ir.to_proto(model))
    for value in (*copy.graph.inputs, *copy.graph.outputs):
        value.shape = ir.Shape([batch, *list(value.shape)[1:]])
    for node in copy.graph:
        if node.op_type == "Reshape":
            _resize(node, batch)
        for value in node.outputs:
            value.shape = value.shape if value in copy.graph.outputs else None  # inferred anew
    return prepared(ir.to_proto(copy), None, None)


def _resize(node: ir.Node, batch: int) -> None:
    sizes = constant(node.inputs[1])
    assert sizes[0] in (0, 1), f"{node.name} makes {sizes}: not one input's"
    rewrite_constant([(node, 1)], np.array([batch, *sizes[1:]]))
