"""Small arrays that need tiles of everything, and networks that use every unit."""

from dataclasses import replace

import numpy as np
import onnx
import onnx_ir as ir
import pytest

from spcompile.passes import prepare
from spcompile.targets import load_target

NETWORK = """
<ir_version: 10, opset_import: ["" : 18]>
units (float[1, 3, 18, 14] image) => (float[1, 5] scores)
{
  [first] a0 = Conv <pads = [1, 1, 1, 1], strides = [2, 2]> (image, w0, b0)
  a = Clip (a0, zero, six)
  [deep] d0 = Conv <pads = [1, 1, 1, 1], group = 32> (a, w1, b1)
  d = Relu (d0)
  [point] p = Conv (d, w2)
  [sum] r0 = Add (p, a)
  r = Relu (r0)
  [grouped] g0 = Conv <pads = [2, 1, 0, 1], group = 2, dilations = [2, 1]> (r, w3, b3)
  s = Sigmoid (g0)
  [pool] q = MaxPool <kernel_shape = [3, 3], strides = [2, 2], pads = [1, 1, 1, 1]> (s)
  [side] t = Conv (q, w6)
  [both] u = Concat <axis = 1> (q, t)
  [last] l = Conv (u, w4, b4)
  [mean] m = GlobalAveragePool (l)
  [flat] f = Flatten (m)
  [head] scores = Gemm <transB = 1> (f, w5, b5)
}
"""
SHAPES = {
    "w0": (32, 3, 3, 3),
    "b0": (32,),
    "w1": (32, 1, 3, 3),
    "b1": (32,),
    "w2": (32, 32, 1, 1),
    "w3": (48, 16, 3, 3),
    "b3": (48,),
    "w4": (40, 56, 1, 1),
    "b4": (40,),
    "w5": (5, 40),
    "w6": (8, 48, 1, 1),
    "b5": (5,),
}
SMALL = {"array_rows": 8, "array_lanes": 8, "window_columns": 64, "weight_buffer_bytes": 4096, "input_buffer_bytes": 8192, "output_buffer_bytes": 2048}


@pytest.fixture(scope="session")
def networks():
    """-> a prepared network whose weights keep a share in groups of `of` columns (1: all), without the rows of a share (from, to) of them."""

    def make(of: int = 1, kept: int = 1, empty_rows: tuple[float, float] = (0.0, 0.0), scattered: float = 0.0) -> ir.Model:
        rng = np.random.default_rng(of)
        proto = onnx.parser.parse_model(NETWORK)
        for name, shape in SHAPES.items():
            array = rng.standard_normal(shape).astype(np.float32) * (0.1 if name.startswith("b") else np.sqrt(2 / np.prod(shape[1:])))
            if name in ("w2", "w3", "w4", "w5"):
                array *= _kept(rng, shape, of, kept, empty_rows, scattered)
            proto.graph.initializer.append(onnx.numpy_helper.from_array(array.astype(np.float32), name))
        for name, number in (("zero", 0.0), ("six", 6.0)):
            proto.graph.initializer.append(onnx.numpy_helper.from_array(np.float32(number), name))
        return prepare(ir.from_proto(proto))

    return make


def _kept(rng, shape, of, kept, empty_rows, scattered):
    """bool, in-channels grouped tap by tap as the layer's matrix has them."""
    taps = int(np.prod(shape[2:]))
    scores = rng.random((shape[0], taps, shape[1]))
    mask = np.ones(scores.shape, bool)
    if of > 1 and shape[1] % of == 0:
        grouped = scores.reshape(shape[0], -1, of)
        mask = (np.argsort(np.argsort(grouped, axis=2), axis=2) < kept).reshape(scores.shape)
    mask &= rng.random(mask.shape) >= scattered
    mask[slice(*(round(share * shape[0]) for share in empty_rows))] = False
    return mask.transpose(0, 2, 1).reshape(shape)


@pytest.fixture(scope="session")
def arrays():
    """Name -> accelerator: both dataflows and both precisions with buffers that nothing fits in whole, one for zeros anywhere, one without any engine."""
    sat, s4 = load_target("sat-vcu1525"), load_target("s4")
    return {
        "weights stay": replace(sat, **SMALL),
        "sums stay": replace(s4, **SMALL | {"array_positions": 3}),
        "bf16": replace(s4, **SMALL | {"array_positions": 3, "precision": "bf16", "input_buffer_bytes": 16384}),
        "bf16, weights stay": replace(sat, **SMALL | {"precision": "bf16", "input_buffer_bytes": 16384}),
        "zeros anywhere": replace(sat, **SMALL | {"decodes": ("unstructured",), "load_balancing": "sorted-rows"}),
        "array alone": replace(sat, **SMALL | {"vector_lanes": 0, "depthwise_macs_per_cycle": 0}),
    }
