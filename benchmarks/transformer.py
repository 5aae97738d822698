"""A transformer encoder with random weights, for size: token and position embeddings, then layers of attention and a feed-forward pair."""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

HEADS = 16
VOCABULARY = 50_000


class Encoder:
    """Collects nodes and weights; every method adds one operation and gives back the name of its output."""

    def __init__(self, width: int, seed: int):
        self.width, self.nodes, self.weights, self.random = width, [], [], np.random.default_rng(seed)

    def add(self, op: str, *inputs: str, **attributes) -> str:
        name = f"{op.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(op, inputs, [name], name, **attributes))
        return name

    def constant(self, array: np.ndarray) -> str:
        name = f"c{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(array, name))
        return name

    def normal(self, *shape: int) -> str:
        return self.constant(self.random.standard_normal(shape, np.float32) * np.float32(shape[0] ** -0.5))

    def linear(self, x: str, columns: int, rows: int) -> str:
        return self.add("Add", self.add("MatMul", x, self.normal(columns, rows)), self.constant(np.zeros(rows, np.float32)))

    def normalised(self, x: str) -> str:
        return self.add("LayerNormalization", x, self.constant(np.ones(self.width, np.float32)), self.constant(np.zeros(self.width, np.float32)))

    def heads(self, x: str, tokens: int) -> str:
        split = self.constant(np.array([1, tokens, HEADS, self.width // HEADS]))
        return self.add("Transpose", self.add("Reshape", x, split), perm=[0, 2, 1, 3])

    def attention(self, x: str, tokens: int) -> str:
        q, k, v = (self.heads(self.linear(x, self.width, self.width), tokens) for _ in range(3))
        scores = self.add("MatMul", q, self.add("Transpose", k, perm=[0, 1, 3, 2]))
        scale = self.constant(np.array((self.width / HEADS) ** -0.5, np.float32))
        mixed = self.add("MatMul", self.add("Softmax", self.add("Mul", scores, scale), axis=-1), v)
        joined = self.add("Reshape", self.add("Transpose", mixed, perm=[0, 2, 1, 3]), self.constant(np.array([1, tokens, self.width])))
        return self.linear(joined, self.width, self.width)


def random_transformer(layers: int = 24, width: int = 1024, tokens: int = 128, seed: int = 0) -> onnx.ModelProto:
    """24 layers of width 1024 have 353 million weights, 51 of them in the token embedding."""
    e = Encoder(width, seed)
    x = e.add("Add", e.add("Gather", e.normal(VOCABULARY, width), "ids"), e.normal(tokens, width))
    for _ in range(layers):
        x = e.normalised(e.add("Add", x, e.attention(x, tokens)))
        hidden = e.add("Relu", e.linear(x, width, 4 * width))
        x = e.normalised(e.add("Add", x, e.linear(hidden, 4 * width, width)))
    ids = helper.make_tensor_value_info("ids", TensorProto.INT64, [1, tokens])
    y = helper.make_tensor_value_info(x, TensorProto.FLOAT, [1, tokens, width])
    graph = helper.make_graph(e.nodes, "transformer", [ids], [y], e.weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
