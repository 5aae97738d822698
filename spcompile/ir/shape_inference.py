"""Shapes and types by onnx_ir, without what it logs."""

import onnx_ir as ir
from onnx_ir.passes.common import ShapeInferencePass, shape_inference

from spcompile.ir.quiet import quiet


def infer_shapes(model: ir.Model) -> bool:
    """In place; -> was anything new? What does not fit onnx_ir logs with its traceback, and leaves the model as it is: a refusal says it in one line."""
    with quiet(shape_inference.logger):
        return ShapeInferencePass(strict_mode=False)(model).modified
