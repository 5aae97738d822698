"""Operators that are made of smaller ones are written out in these."""

import onnx
import onnx_ir as ir
from onnx_ir.passes.common import InlinePass

from spcompile.ir.shape_inference import infer_shapes
from spcompile.passes.base import Pass, nodes_of
from spcompile.passes.bodies import BODIES, FROM_ONNX
from spcompile.passes.upgrade_opset import OPSET

DOMAIN = "spcompile.written_out"


class WriteOut(Pass):
    """Before: InstanceNormalization(x, scale, bias) -> after: ReduceMean, Sub, Mul, ... of x. Bodies are ONNX's own, or those of `bodies`."""

    op_types = (*BODIES, *FROM_ONNX)

    def apply(self, model: ir.Model) -> bool:
        """As often as bodies hold what is to be written out, too, or give the shapes of what follows."""
        changed = False
        while nodes_of(model, self.op_types):
            infer_shapes(model)
            if not self._write(model):
                break
            changed = True
        return changed

    def _write(self, model: ir.Model) -> bool:
        opset = model.graph.opset_imports.get("", OPSET)
        for index, node in enumerate(node for node in nodes_of(model, self.op_types) if _has_shapes(node)):
            function = _ours(node, opset) if node.op_type in BODIES else _of_onnx(node, opset)
            if function is not None:
                _call(model, node, function, f"{node.op_type}_{index}")
        return InlinePass()(model).modified


def _has_shapes(node: ir.Node) -> bool:
    return all(value is None or (value.dtype is not None and value.shape is not None and value.shape.is_static()) for value in node.inputs)


def _ours(node: ir.Node, opset: int) -> onnx.FunctionProto | None:
    body = BODIES[node.op_type](node)
    return None if body is None else onnx.parser.parse_function(f'<opset_import: ["" : {opset}], domain: "{DOMAIN}"> {node.op_type} {body}')


def _of_onnx(node: ir.Node, opset: int) -> onnx.FunctionProto | None:
    """And the attributes that its body asks for, with what ONNX takes where they are not given."""
    schema = onnx.defs.get_schema(node.op_type, opset, "")
    defaults = [attribute.default_value for attribute in schema.attributes.values() if attribute.default_value.type]
    node.attributes.update({given.name: ir.from_proto(given) for given in defaults if given.name not in node.attributes})
    if not schema.has_context_dependent_function:
        return schema.function_body if schema.has_function else None
    types = [onnx.helper.make_tensor_type_proto(int(value.dtype), value.shape.numpy()) if value is not None else onnx.TypeProto() for value in node.inputs]
    body = schema.get_context_dependent_function(ir.to_proto(node).SerializeToString(), [given.SerializeToString() for given in types])
    return onnx.FunctionProto.FromString(body) if body else None


def _call(model: ir.Model, node: ir.Node, proto: onnx.FunctionProto, name: str) -> None:
    """The node calls a function of the model from now on."""
    proto.domain, proto.name = DOMAIN, name
    del proto.output[len(node.outputs) :]
    del proto.opset_import[:]
    proto.opset_import.append(onnx.helper.make_opsetid("", model.graph.opset_imports.get("", OPSET)))
    function = ir.from_proto(proto)
    for inner in function:
        inner.name = f"{node.name or node.outputs[0].name}_{inner.op_type}"
    model.functions[function.identifier()] = function
    node.domain, node.op_type = DOMAIN, name
