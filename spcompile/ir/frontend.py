"""One door for every kind of model a user may hold."""

import os
import sys
from collections.abc import Mapping

import onnx
import onnx_ir as ir

from spcompile.errors import ModelError
from spcompile.ir.input_shapes import fix_input_shapes
from spcompile.ir.onnx_frontend import load_onnx
from spcompile.ir.torch_frontend import load_torch


def load(source, input_shapes: Mapping[str, tuple[int, ...]] | None = None, example_inputs=None) -> ir.Model:
    """-> a model of static input shapes that shares nothing mutable with `source`.

    source: the path of an ONNX file, an `onnx.ModelProto`, an `onnx_ir.Model`, or a `torch.nn.Module` together with `example_inputs`.
    """
    if isinstance(source, (str, os.PathLike, onnx.ModelProto)):
        return load_onnx(source, input_shapes)
    if not isinstance(source, ir.Model) and not is_torch_module(source):
        raise ModelError(f"cannot compile a {type(source).__name__}; give an ONNX path, an onnx.ModelProto, an onnx_ir.Model or a torch.nn.Module")
    model = source.clone() if isinstance(source, ir.Model) else load_torch(source, example_inputs)
    fix_input_shapes(model, input_shapes)
    return model


def is_torch_module(source) -> bool:
    """Whoever holds a module has imported torch, so we need not."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(source, torch.nn.Module)
