"""One dialect: operators take their axes as inputs, as they do since opset 18."""

import onnx
import onnx_ir as ir

from spcompile.errors import ModelError
from spcompile.passes.base import Pass

OPSET = 18  # the oldest in which no operator we take has its axes in an attribute; ONNX Runtime 1.14 of 2023 opens it
IR_VERSION = 8  # of the file format that came with it


class UpgradeOpset(Pass):
    """Before: opset 9, Squeeze<axes=[2]>(x) -> after: opset 18, Squeeze(x, [2]). Newer models stay as they are."""

    def requires(self, model: ir.Model) -> None:
        assert not model.functions, "the converter knows graphs only"

    def apply(self, model: ir.Model) -> bool:
        opset = model.graph.opset_imports.get("", OPSET)
        if opset >= OPSET:
            return False
        model.ir_version = max(model.ir_version, IR_VERSION)
        try:
            converted = onnx.version_converter.convert_version(ir.to_proto(model), OPSET)
        except onnx.shape_inference.InferenceError as error:
            raise ModelError(f"the shapes in the model do not fit together ({_first_line(error)}); check the input shape") from error
        except (onnx.version_converter.ConvertError, RuntimeError) as error:
            raise ModelError(f"opset {opset} cannot be brought to opset {OPSET} ({_first_line(error)}); export the model again with opset {OPSET}") from error
        model.graph = ir.from_proto(converted).graph
        return True

    def ensures(self, model: ir.Model) -> None:
        assert model.graph.opset_imports.get("", OPSET) >= OPSET


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0]
