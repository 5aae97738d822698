"""A network of one input at a time, as one of several."""

import numpy as np
import onnx_ir as ir

from spcompile.compiler.inputs import prepared


def with_batch(model: ir.Model, batch: int) -> ir.Model:
    """The prepared network for `batch` inputs in one call. Every input's first dimension is the batch, and so is the first of every Reshape's result."""
    if batch == 1:
        return model
    copy = ir.from_proto(ir.to_proto(model))
    for value in (*copy.graph.inputs, *copy.graph.outputs):
        value.shape = ir.Shape([batch, *list(value.shape)[1:]])
    for node in copy.graph:
        if node.op_type == "Reshape":
            _size(copy, node, batch)
        for value in node.outputs:
            value.shape = value.shape if value in copy.graph.outputs else None  # inferred anew
    return prepared(ir.to_proto(copy), None, None)


def _size(model: ir.Model, node: ir.Node, batch: int) -> None:
    """The sizes that it gives its result, for the batch."""
    sizes = node.inputs[1].const_value.numpy()
    assert sizes[0] in (0, 1), f"{node.name} makes {sizes}: not one input's"
    name = f"{node.name}_sizes_of_{batch}"
    tensor = ir.tensor(np.array([batch, *sizes[1:]], np.int64), name=name)
    value = ir.Value(name=name, const_value=tensor, shape=ir.Shape([len(sizes)]), type=ir.TensorType(ir.DataType.INT64))
    model.graph.register_initializer(value)
    node.replace_input_with(1, value)
