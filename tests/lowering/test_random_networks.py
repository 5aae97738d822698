"""Small networks drawn at random compute what ONNX Runtime computes."""

import numpy as np
import onnx
import onnx_ir as ir
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

POINTWISE = ("Relu", "Sigmoid", "HardSwish", "Tanh", "Neg", "Elu", "Gelu", "LeakyRelu")


class Drawn:
    """A graph being drawn: every value with its shape, and a stream of weights."""

    def __init__(self, draw, seed: int):
        self.draw, self.rng = draw, np.random.default_rng(seed)
        self.nodes, self.initializers, self.shapes = [], [], {}

    def constant(self, array: np.ndarray) -> str:
        self.initializers.append(numpy_helper.from_array(array, f"c{len(self.initializers)}"))
        return self.initializers[-1].name

    def weight(self, *shape: int) -> str:
        """Sparse where it is a matrix."""
        kept = self.rng.random(shape) < (self.draw(st.sampled_from([1.0, 0.3, 0.05])) if len(shape) == 4 else 1)
        return self.constant(np.where(kept, self.rng.standard_normal(shape) / np.sqrt(np.prod(shape[1:])), 0).astype(np.float32))

    def node(self, operator: str, inputs: list[str], shape, **attributes) -> str:
        name = f"v{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, inputs, [name], name=f"n{len(self.nodes)}", **attributes))
        self.shapes[name] = tuple(shape)
        return name

    def image(self) -> str:
        return self.draw(st.sampled_from(sorted(name for name, shape in self.shapes.items() if len(shape) == 4)))


def convolution(drawn: Drawn) -> None:
    x = drawn.image()
    n, c, h, w = drawn.shapes[x]
    kernel, stride, dilation = (drawn.draw(st.integers(1, most)) for most in (3, 2, 2))
    low, high = drawn.draw(st.tuples(st.integers(0, 2), st.integers(0, 2)))
    reach = dilation * (kernel - 1) + 1
    size = [(extent + low + high - reach) // stride + 1 for extent in (h, w)]
    if min(size) < 1 or min(h, w) + low + high < reach:
        return
    kind = drawn.draw(st.sampled_from(["full", "depthwise", "grouped"]))
    groups = {"full": 1, "depthwise": c, "grouped": 2 if c % 2 == 0 else 1}[kind]
    rows = drawn.draw(st.sampled_from([4, 6, 8])) if kind != "depthwise" else c * drawn.draw(st.integers(1, 2))
    inputs = [x, drawn.weight(rows, c // groups, kernel, kernel)]
    if drawn.draw(st.booleans()):
        inputs.append(drawn.weight(rows))
    drawn.node("Conv", inputs, (n, rows, *size), group=groups, strides=[stride] * 2, dilations=[dilation] * 2, pads=[low, low, high, high])


def pointwise(drawn: Drawn) -> None:
    x = drawn.image()
    drawn.node(drawn.draw(st.sampled_from(POINTWISE)), [x], drawn.shapes[x])


def binary(drawn: Drawn) -> None:
    x = drawn.image()
    n, c, _, _ = drawn.shapes[x]
    others = sorted(name for name, shape in drawn.shapes.items() if shape in (drawn.shapes[x], (n, c, 1, 1)))
    other = drawn.draw(st.sampled_from([*others, "channels", "number"]))
    other = {"channels": lambda: drawn.weight(c, 1, 1), "number": lambda: drawn.constant(np.float32(0.5))}.get(other, lambda: other)()
    operator = drawn.draw(st.sampled_from(["Add", "Sub", "Mul", "Max"]))
    drawn.node(operator, [x, other] if drawn.draw(st.booleans()) else [other, x], drawn.shapes[x])


def pool(drawn: Drawn) -> None:
    x = drawn.image()
    n, c, h, w = drawn.shapes[x]
    kernel, stride = drawn.draw(st.integers(1, 3)), drawn.draw(st.integers(1, 2))
    pad = drawn.draw(st.integers(0, (kernel - 1) // 2))
    if min(h, w) + 2 * pad < kernel:
        return
    size = [(extent + 2 * pad - kernel) // stride + 1 for extent in (h, w)]
    operator = drawn.draw(st.sampled_from(["MaxPool", "AveragePool"]))
    drawn.node(operator, [x], (n, c, *size), kernel_shape=[kernel] * 2, strides=[stride] * 2, pads=[pad] * 4)


def concatenation(drawn: Drawn) -> None:
    x = drawn.image()
    n, _, h, w = drawn.shapes[x]
    alike = sorted(name for name, shape in drawn.shapes.items() if shape[:1] + shape[2:] == (n, h, w))
    parts = [x, *drawn.draw(st.lists(st.sampled_from(alike), min_size=1, max_size=2))]
    drawn.node("Concat", parts, (n, sum(drawn.shapes[part][1] for part in parts), h, w), axis=1)


def move(drawn: Drawn) -> None:
    x = drawn.image()
    n, c, h, w = drawn.shapes[x]
    kind = drawn.draw(st.sampled_from(["turn", "mean", "slice", "shuffle"]))
    if kind == "turn":
        drawn.node("Transpose", [x], (n, c, w, h), perm=[0, 1, 3, 2])
    elif kind == "mean":
        drawn.node("GlobalAveragePool", [x], (n, c, 1, 1))
    elif kind == "slice" and h > 1:
        ints = [drawn.constant(np.array([number])) for number in (1, h, 2)]
        drawn.node("Slice", [x, *ints], (n, c, h - 1, w))
    elif kind == "shuffle" and c % 2 == 0:
        five = drawn.node("Reshape", [x, drawn.constant(np.array([n, 2, c // 2, h, w]))], (n, 2, c // 2, h, w))
        turned = drawn.node("Transpose", [five], (n, c // 2, 2, h, w), perm=[0, 2, 1, 3, 4])
        drawn.node("Reshape", [turned, drawn.constant(np.array([n, c, h, w]))], (n, c, h, w))


@st.composite
def networks(draw):
    drawn = Drawn(draw, draw(st.integers(0, 1000)))
    shape = draw(st.sampled_from([(1, 4, 8, 9), (1, 3, 7, 7), (2, 4, 5, 6)]))
    drawn.shapes["x"] = shape
    steps = (convolution, convolution, convolution, pointwise, binary, binary, pool, concatenation, move)
    for step in draw(st.lists(st.sampled_from(steps), min_size=3, max_size=12)):
        step(drawn)
    if not drawn.nodes:
        pointwise(drawn)
    used = {name for node in drawn.nodes for name in node.input}
    ends = [node.output[0] for node in drawn.nodes if node.output[0] not in used]
    extra = draw(st.lists(st.sampled_from(sorted(set(drawn.shapes) - {"x"})), max_size=1))
    outputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, drawn.shapes[name]) for name in dict.fromkeys([*ends, *extra])]
    graph = helper.make_graph(drawn.nodes, "drawn", [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)], outputs, drawn.initializers)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    onnx.checker.check_model(model, full_check=True)
    return ir.from_proto(model)


@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck), phases=[Phase.generate], derandomize=True, database=None)
@given(networks(), st.sampled_from([None, "x86-avx2"]))
def test_networks(assert_compiles, model, target):
    assert_compiles(model, target, relative=2e-5)
