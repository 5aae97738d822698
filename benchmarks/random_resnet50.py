"""ResNet-50 with random weights, for speed: the structure that ships inside the onnx package (`light_resnet50`, Apache-2.0), its constant fills replaced.

python benchmarks/random_resnet50.py resnet50.onnx [seed]
"""

import sys
from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper

LIGHT = Path(onnx.__file__).parent / "backend/test/data/light/light_resnet50.onnx"
FREE_INITIALIZERS = 4  # the file format's first version in which an initializer need not be an input


def random_resnet50(seed: int = 0) -> onnx.ModelProto:
    """Convolutions from N(0, 2 / fan-in) (He et al. 2015, equation 10), batch norms near the identity; residual branches are halved, so that
    activations stay below about a hundred.
    """
    model = onnx.load(LIGHT)
    graph, generator = model.graph, np.random.default_rng(seed)
    sizes = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    fills = {node.output[0]: tuple(sizes[node.input[0]]) for node in graph.node if node.op_type == "ConstantOfShape"}
    nodes = [node for node in graph.node if node.op_type != "ConstantOfShape"]
    summed = {name for node in nodes if node.op_type == "Sum" for name in node.input}
    for node in nodes:
        for place, name in enumerate(node.input):
            if name in fills:
                array = _values(node, place, fills.pop(name), summed, generator)
                graph.initializer.append(numpy_helper.from_array(array.astype(np.float32), name))
    del graph.node[:]
    graph.node.extend(nodes)
    model.ir_version = max(model.ir_version, FREE_INITIALIZERS)
    return model


def _values(node: onnx.NodeProto, place: int, shape: tuple[int, ...], summed: set[str], generator: np.random.Generator) -> np.ndarray:
    """What input `place` of a Conv, Gemm or BatchNormalization holds. A Gemm's matrix is [1000, 2048]."""
    jitter = 0.05 * generator.standard_normal(shape)
    if node.op_type == "BatchNormalization":
        gamma = 0.5 if node.output[0] in summed else 1.0
        return jitter + {1: gamma, 2: 0.0, 3: 0.0, 4: 1.0}[place]
    if place == 1:
        gain = 2.0 if node.op_type == "Conv" else 0.01  # features reach about ten; the softmax should not saturate
        return generator.standard_normal(shape) * np.sqrt(gain / np.prod(shape[1:]))
    return jitter


if __name__ == "__main__":
    onnx.save(random_resnet50(int(sys.argv[2]) if len(sys.argv) > 2 else 0), sys.argv[1])
