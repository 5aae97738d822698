"""One dialect: operators take their axes as inputs, as they do since opset 18."""

import onnx
import onnx_ir as ir

from spcompile.errors import ModelError
from spcompile.passes.base import Pass

OPSET = 18  # the oldest in which no operator we take has its axes in an attribute; ONNX Runtime 1.14 of 2023 opens it
IR_VERSION = 8  # of the file format that came with it
LARGE = 1024  # elements; no operator has so long a list of axes, shapes or scales, so a larger constant need not be shown to the converter


class UpgradeOpset(Pass):
    """Before: opset 9, Squeeze<axes=[2]>(x) -> after: opset 18, Squeeze(x, [2]). Newer models stay as they are."""

    def requires(self, model: ir.Model) -> None:
        assert not model.functions, "the converter knows graphs only"

    def apply(self, model: ir.Model) -> bool:
        opset = model.graph.opset_imports.get("", OPSET)
        if opset >= OPSET:
            return False
        model.ir_version = max(model.ir_version, IR_VERSION)
        model.graph = _converted(model)
        return True

    def ensures(self, model: ir.Model) -> None:
        assert model.graph.opset_imports.get("", OPSET) >= OPSET


def _converted(model: ir.Model) -> ir.Graph:
    """The graph at OPSET. Large weights pass by the converter as if they were inputs."""
    outline = model.clone()
    large = {name: value for name, value in outline.graph.initializers.items() if value.const_value.size > LARGE}
    tensors = {name: value.const_value for name, value in large.items()}
    for name, value in large.items():
        del outline.graph.initializers[name]
        value.const_value = None
        outline.graph.inputs.append(value)
    graph = ir.from_proto(_convert(ir.to_proto(outline))).graph
    for value in [value for value in graph.inputs if value.name in large]:
        value.const_value = tensors[value.name]
        graph.inputs.remove(value)
        graph.register_initializer(value)
    return graph


def _convert(proto: onnx.ModelProto) -> onnx.ModelProto:
    try:
        return onnx.version_converter.convert_version(proto, OPSET)
    except onnx.shape_inference.InferenceError as error:
        raise ModelError(f"the shapes in the model do not fit together ({_first_line(error)}); check the input shape") from error
    except (onnx.version_converter.ConvertError, RuntimeError) as error:
        opset = next(entry.version for entry in proto.opset_import if entry.domain == "")
        raise ModelError(f"opset {opset} cannot be brought to opset {OPSET} ({_first_line(error)}); export the model again with opset {OPSET}") from error


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0]
