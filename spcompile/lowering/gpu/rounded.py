"""The network as GPU kernels compute it, as plain ONNX for other engines: numbers rounded to 16 bits where kernels store them."""

import ml_dtypes
import numpy as np
import onnx_ir as ir

from spcompile.ir.constants import free_name
from spcompile.ir.layers import find_layers, weight, with_weights
from spcompile.ir.rewiring import put_behind
from spcompile.lowering.gpu.products import fits_product
from spcompile.lowering.refusals import MOVES
from spcompile.lowering.tasks import group

HALVES = {"float16": (np.float16, ir.DataType.FLOAT16), "bfloat16": (ml_dtypes.bfloat16, ir.DataType.BFLOAT16)}


def rounded(model: ir.Model, dtype: str) -> ir.Model:
    """A copy of a prepared network whose layers' weights, inputs and results of tasks are fp32 numbers that `dtype` ("float16", "bfloat16") has.

    Inside a task, sums and epilogue stay fp32, as in its kernel; what only moves numbers has nothing to round.
    """
    half, onnx_type = HALVES[dtype]
    layers = find_layers(model)
    model = with_weights(model, {layer.name: weight(model, layer).astype(half).astype(np.float32) for layer in layers})
    tasks = [task for task in group(model.graph, fits_product) if task.node is None or task.node.op_type not in MOVES]
    for value in (*model.graph.inputs, *(task.output for task in tasks)):
        if value.dtype == ir.DataType.FLOAT:
            _round(model.graph, value, onnx_type)
    return model


def _round(graph: ir.Graph, value: ir.Value, half: ir.DataType) -> None:
    """All readers of `value` get it rounded."""
    short, full = (
        ir.Value(name=free_name(graph, f"{value.name}_{kind}"), shape=value.shape, type=ir.TensorType(dtype))
        for kind, dtype in (("half", half), ("rounded", ir.DataType.FLOAT))
    )
    casts = ((value, short), (short, full))
    put_behind(value, [ir.node("Cast", [source], {"to": result.dtype}, outputs=[result], name=result.name) for source, result in casts])
