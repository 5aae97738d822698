"""Networks of one layer, and of equal ones."""

import numpy as np
import onnx
from onnx import TensorProto, helper


def convolution(in_channels: int, out_channels: int, size: int, kernel: int) -> onnx.ModelProto:
    weight = np.random.default_rng(0).standard_normal((out_channels, in_channels, kernel, kernel)).astype(np.float32)
    graph = helper.make_graph(
        [helper.make_node("Conv", ["x", "w"], ["y"], name="conv", pads=[kernel // 2] * 4)],
        "one",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, in_channels, size, size])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, out_channels, size, size])],
        [onnx.numpy_helper.from_array(weight, "w")],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)


def chain(layers: int, channels: int = 32, size: int = 14) -> onnx.ModelProto:
    """Equal 3x3 convolutions, one after the other."""
    random = np.random.default_rng(0)
    weights = [random.standard_normal((channels, channels, 3, 3)).astype(np.float32) for _ in range(layers)]
    graph = helper.make_graph(
        [helper.make_node("Conv", [f"x{at}", f"w{at}"], [f"x{at + 1}"], name=f"conv{at}", pads=[1] * 4) for at in range(layers)],
        "chain",
        [helper.make_tensor_value_info("x0", TensorProto.FLOAT, [1, channels, size, size])],
        [helper.make_tensor_value_info(f"x{layers}", TensorProto.FLOAT, [1, channels, size, size])],
        [onnx.numpy_helper.from_array(weight, f"w{at}") for at, weight in enumerate(weights)],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
