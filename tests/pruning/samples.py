"""Small networks and data for the tests of pruning."""

import numpy as np
import onnx
import onnx_ir as ir

from spcompile.passes import prepare

NETWORK = """
<ir_version: 10, opset_import: ["" : 18]>
tiny (float[1, 3, 12, 12] image) => (float[1, 5] scores)
{
  [first] a0 = Conv <pads = [1, 1, 1, 1]> (image, w0, b0)
  a = Relu (a0)
  [deep] d0 = Conv <pads = [1, 1, 1, 1], group = 8> (a, w1, b1)
  d = Relu (d0)
  [point] p = Conv (d, w2, b2)
  r0 = Add (p, a)
  r = Relu (r0)
  [last] q0 = Conv <pads = [1, 1, 1, 1], strides = [2, 2]> (r, w3)
  q = Relu (q0)
  m = GlobalAveragePool (q)
  f = Flatten (m)
  [head] scores = Gemm <transB = 1> (f, w4, b4)
}
"""
SHAPES = {"w0": (8, 3, 3, 3), "b0": (8,), "w1": (8, 1, 3, 3), "b1": (8,), "w2": (8, 8, 1, 1), "b2": (8,), "w3": (16, 8, 3, 3), "w4": (5, 16), "b4": (5,)}


def network(seed: int = 0, zeros: float = 0.0) -> ir.Model:
    """A prepared residual network with a depthwise and a strided layer, random weights, a share of them zero already."""
    rng = np.random.default_rng(seed)
    proto = onnx.parser.parse_model(NETWORK)
    for name, shape in SHAPES.items():
        fan_in = int(np.prod(shape[1:])) or 1
        array = (rng.standard_normal(shape) * np.sqrt(2 / fan_in) * (rng.random(shape) >= zeros)).astype(np.float32)
        proto.graph.initializer.append(onnx.numpy_helper.from_array(array, name))
    return prepare(ir.from_proto(proto))


def images(count: int = 32, seed: int = 1) -> np.ndarray:
    """[count, 3, 12, 12], smooth, so that neighbouring inputs are as correlated as real ones."""
    noise = np.random.default_rng(seed).standard_normal((count, 3, 14, 14))
    return sum(noise[:, :, y : y + 12, x : x + 12] for y in range(3) for x in range(3)).astype(np.float32) / 3
