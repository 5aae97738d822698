"""Models -> plain ONNX files, whole or not at all."""

import os
from pathlib import Path

import onnx
import onnx_ir as ir

from spcompile.errors import ArtifactError, ModelError
from spcompile.whole_file import write_whole

PROTOBUF_LIMIT_BYTES = 2**31 - 1  # protobuf's own limit on one message


def save(model: ir.Model, path: str | os.PathLike) -> None:
    """Write `model` as one ONNX file with its weights inside, in the oldest ONNX version that can express it, so that old runtimes open it.

    The file appears complete or not at all. Raises ArtifactError when it cannot be written, ModelError above 2 GiB.
    """
    proto = ir.to_proto(model)
    if (size := proto.ByteSize()) > PROTOBUF_LIMIT_BYTES:
        raise ModelError(f"the model takes {size:,} bytes; one ONNX file holds at most {PROTOBUF_LIMIT_BYTES:,}")
    proto.ir_version = onnx.helper.find_min_ir_version_for(list(proto.opset_import), ignore_unknown=True)
    try:
        write_whole(Path(path), proto.SerializeToString())
    except OSError as error:
        raise ArtifactError(f"cannot write {path}: {error.strerror}") from error
