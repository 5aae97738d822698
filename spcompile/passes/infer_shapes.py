"""Every value has one known shape and type."""

import onnx
import onnx_ir as ir

from spcompile.errors import ModelError, UnsupportedOperator
from spcompile.ir.input_shapes import notation
from spcompile.ir.shape_inference import infer_shapes
from spcompile.passes.base import Pass

WINDOWS = ("Conv", "AveragePool", "MaxPool", "LpPool", "ConvTranspose")
POOLS = ("AveragePool", "MaxPool", "LpPool")


class InferShapes(Pass):
    """Before: y of shape [1, ?, 56] -> after: y of shape [1, 64, 56]. Raises ModelError where inputs do not fit together or a shape depends on the data."""

    def apply(self, model: ir.Model) -> bool:
        changed = infer_shapes(model)
        for node in model.graph:
            if not all(_is_known(value) for value in node.outputs if value.name):
                raise _refusal(node, model.graph.opset_imports.get(node.domain, 0))
            if any(size < 0 for value in node.outputs if value.name for size in value.shape.numpy()) or _too_small(node):
                raise ModelError(f"{_named(node)}: the input is too small for it, {_given(node)}; check the input shape")
        return changed

    def ensures(self, model: ir.Model) -> None:
        values = [*model.graph.inputs, *model.graph.initializers.values(), *(value for node in model.graph for value in node.outputs if value.name)]
        assert all(_is_known(value) for value in values), [value.name for value in values if not _is_known(value)]


def _too_small(node: ir.Node) -> bool:
    """A window that finds no place in an image that has pixels."""
    empty = node.op_type in WINDOWS and any(0 in value.shape.numpy() for value in node.outputs if value.name)
    return (empty or (node.op_type in POOLS and _exceeds(node))) and 0 not in node.inputs[0].shape.numpy()


def _exceeds(node: ir.Node) -> bool:
    """Is a pool's window larger than the padded image? The formula then gives none, what is inferred is one: a division that rounds towards zero."""
    if node.attributes.get_int("ceil_mode", 0) or node.attributes.get_string("auto_pad", "NOTSET").startswith("SAME"):
        return False
    kernel, sizes = node.attributes.get_ints("kernel_shape"), node.inputs[0].shape.numpy()[2:]
    dilations, pads = node.attributes.get_ints("dilations", [1] * len(kernel)), node.attributes.get_ints("pads", [0] * 2 * len(kernel))
    around = zip(pads, pads[len(kernel) :], strict=False)
    return any(size + sum(pair) < (k - 1) * d + 1 for size, pair, k, d in zip(sizes, around, kernel, dilations, strict=True))


def _is_known(value: ir.Value) -> bool:
    return value.dtype is not None and value.shape is not None and value.shape.is_static()


def _named(node: ir.Node) -> str:
    return f"node '{node.name or node.outputs[0].name}' ({node.op_type})"


def _given(node: ir.Node) -> str:
    """Its inputs with their shapes."""
    return ", ".join(f"{value.name} {notation(value.shape)}" for value in node.inputs if value is not None)


def _refusal(node: ir.Node, opset: int) -> ModelError:
    """Why the shapes of this node's outputs, the first that are unknown, are so."""
    values = [value for value in node.inputs if value is not None]
    what = _named(node)
    if not onnx.defs.has(node.op_type, opset, node.domain):
        return UnsupportedOperator(f"{what} is of the operator set '{node.domain}', which is not known here; export the model with ONNX's own operators")
    types = {value.name: onnx.helper.make_tensor_type_proto(int(value.dtype), value.shape.numpy()) for value in values}
    data = {value.name: ir.to_proto(value.const_value) for value in values if value.const_value is not None}
    try:
        onnx.shape_inference.infer_node_outputs(onnx.defs.get_schema(node.op_type, opset, node.domain), ir.to_proto(node), types, data)
    except onnx.shape_inference.InferenceError as error:
        return ModelError(f"{what} does not fit its inputs {_given(node)}: {str(error).strip().splitlines()[0]}; check the input shape")
    return UnsupportedOperator(f"{what} has an output whose shape is known only when the model runs; only models of static shapes can be compiled")
