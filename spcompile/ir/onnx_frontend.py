"""ONNX files and protos -> onnx_ir models that are whole, checked and of static input shapes."""

import os
from collections.abc import Mapping
from pathlib import Path

import onnx
import onnx_ir as ir
from google.protobuf.message import DecodeError, Message
from onnx_ir.passes.common import RemoveInitializersFromInputsPass

from spcompile.errors import ModelError
from spcompile.ir.input_shapes import fix_input_shapes

IR_VERSION_FIELD = b"\x08"  # protobuf's tag of ModelProto.ir_version, which every writer puts first

FREE_INITIALIZERS = 4  # the file format's first version in which an initializer need not be an input


def load_onnx(source: str | os.PathLike | onnx.ModelProto, input_shapes: Mapping[str, tuple[int, ...]] | None = None) -> ir.Model:
    """Read an ONNX file or proto, opset 9 to the newest. A proto handed in is not changed.

    Initializers that are listed as inputs too stop being inputs; external data is read into memory; see `fix_input_shapes` for the shapes.
    Raises ModelError in one line: no such file, not ONNX, cut short, external data missing, a graph that does not hold together, open shapes.
    """
    if isinstance(source, onnx.ModelProto):
        proto, name, folder = source, "the model given", Path()
    else:
        path = Path(source)
        proto, name, folder = read_proto(path), str(path), path.parent
    _check_whole(proto, name)
    try:
        _check_graph(proto, name)
        model = ir.from_proto(proto)
    except ir.serde.SerdeError as error:
        raise ModelError(f"{name} is damaged: its graph cannot be read; fetch or export it again") from error
    _read_external_data(model, name, folder)
    model.ir_version = max(model.ir_version, FREE_INITIALIZERS)
    RemoveInitializersFromInputsPass()(model)
    fix_input_shapes(model, input_shapes)
    return model


def read_proto(path: Path) -> onnx.ModelProto:
    """The file as it is, external data not yet read."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ModelError(f"cannot read the model {path}: {error.strerror}") from error
    try:
        return onnx.load_model_from_string(data)
    except DecodeError as error:
        if data.startswith(IR_VERSION_FIELD):
            raise ModelError(f"{path} is cut short or damaged: it starts like an ONNX file, its {len(data):,} bytes do not end so; fetch it again") from error
        raise ModelError(f"{path} is not an ONNX file; give a .onnx file, or export the model to one") from error


def _check_whole(proto: onnx.ModelProto, name: str) -> None:
    if not proto.HasField("graph"):
        raise ModelError(f"{name} is not an ONNX model: it holds no graph")
    if sparse := [tensor.values.name for tensor in proto.graph.sparse_initializer]:
        raise ModelError(f"{name} holds sparse initializers ({', '.join(sparse)}); store them as dense tensors, zeros in these are found and used")
    if not _is_text(proto):
        raise ModelError(f"{name} is damaged: it holds names that are not text; fetch or export it again")
    if not proto.opset_import:
        raise ModelError(f"{name} is cut short: it names no operator set")
    if not proto.graph.output:
        raise ModelError(f"{name} has no outputs, so there is nothing to compute")


def _is_text(message) -> bool:
    """Is every string field text? Protobuf hands on what is not as bytes, which no later reader of names expects."""
    for field, value in message.ListFields():
        parts = (value,) if isinstance(value, (str, bytes, Message)) else value
        if field.type == field.TYPE_STRING and any(isinstance(part, bytes) for part in parts):
            return False
        if field.type == field.TYPE_MESSAGE and not all(_is_text(part) for part in parts):
            return False
    return True


def _read_external_data(model: ir.Model, name: str, folder: Path) -> None:
    ir.external_data.set_base_dir(model.graph, folder)
    for value in model.graph.initializers.values():
        tensor = value.const_value
        if not isinstance(tensor, ir.ExternalTensor):
            continue
        path = Path(tensor.path)
        if not path.is_file():
            raise ModelError(f"{name} keeps its weights in {path}, which is missing; put that file beside it")
        end = (tensor.offset or 0) + (tensor.length or tensor.nbytes)
        if path.stat().st_size < end:
            raise ModelError(f"{path} is cut short: weight '{value.name}' ends at byte {end:,}, the file at {path.stat().st_size:,}; fetch it again")
    ir.external_data.load_to_model(model)


def _check_graph(proto: onnx.ModelProto, name: str) -> None:
    """Everything ONNX's own checker knows. In the graph weights become inputs: no need to copy them, nor to have their external data."""
    skeleton = onnx.ModelProto()
    skeleton.CopyFrom(proto)
    del skeleton.graph.initializer[:]
    declared = {value.name for value in skeleton.graph.input}
    weights = (tensor for tensor in proto.graph.initializer if tensor.name not in declared)
    skeleton.graph.input.extend(onnx.helper.make_tensor_value_info(tensor.name, tensor.data_type, tensor.dims) for tensor in weights)
    for value in (*skeleton.graph.input, *skeleton.graph.output):
        if value.type.HasField("tensor_type"):
            value.type.tensor_type.shape.SetInParent()  # the checker wants one; inputs are asked for theirs later, outputs have what is inferred
    try:
        onnx.checker.check_model(skeleton)
        for tensor in proto.graph.initializer:
            if tensor.data_location != onnx.TensorProto.EXTERNAL:
                onnx.checker.check_tensor(tensor)
    except onnx.checker.ValidationError as error:
        raise ModelError(f"{name} is not a valid ONNX model: {' '.join(str(error).split())}") from error
