"""What is computed together while results are in registers, and what may not be."""

import numpy as np
import pytest

from spcompile.kernels.expression import operations
from spcompile.lowering.tasks import MOST_OPERATIONS, group
from spcompile.passes import prepare

W = np.random.default_rng(0).standard_normal((4, 4, 3, 3)).astype(np.float32)
CONV = "c = Conv<pads=[1,1,1,1]>(x, w)  "


@pytest.fixture
def tasks(build):
    """tasks(nodes, outputs) -> [(anchor's operator or None, names of absorbed operators, names of operands)] of a graph on x, r [1,4,6,6] and v [1,4,1,1]."""

    def tasks(nodes: str, outputs: str = "y", **arrays):
        given = {"w": W} if "(x, w)" in nodes else {}
        results = ", ".join(f"float[{', '.join(f'{name}{k}' for k in range(4))}] {name}" for name in outputs.split())
        text = f"g (float[1,4,6,6] x, float[1,4,6,6] r, float[1,4,1,1] v, float[1,1,6,6] p, int64[1,4,6,6] i) => ({results}) {{ {nodes} }}"
        graph = prepare(build(text, **given, **arrays)).graph
        return [(task.node and task.node.op_type, [node.op_type for node in task.absorbed], [value.name for value in task.operands]) for task in group(graph)]

    return tasks


def test_a_chain_behind_a_convolution_is_one_task(tasks):
    assert tasks(CONV + "a = Add(c, r)  b = Relu(a)  d = Mul(b, v)  y = Sigmoid(d)") == [("Conv", ["Add", "Relu", "Mul", "Sigmoid"], ["r", "v"])]


def test_a_chain_without_an_anchor_is_one_task(tasks):
    assert tasks("a = Abs(x)  b = Add(a, p)  y = Mul(b, v)") == [(None, ["Abs", "Add", "Mul"], ["x", "p", "v"])]


def test_a_value_used_inside_twice_is_no_reason_to_stop(tasks):
    assert tasks(CONV + "s = Sigmoid(c)  y = Mul(c, s)") == [("Conv", ["Sigmoid", "Mul"], [])]


@pytest.mark.parametrize(
    ("nodes", "outputs", "first"),
    [
        ("a = Relu(c)  y = Neg(a)", "y a", ["Relu"]),  # a is an output
        ("a = Relu(c)  y = Neg(a)", "y c", []),  # the raw result is one
        ("a = Relu(c)  b = Neg(a)  q = MaxPool<kernel_shape=[1,1]>(a)  y = Add(b, q)", "y", ["Relu"]),  # a is read by a window
        ("a = Relu(c)  t = Transpose(a)  y = Abs(t)", "y", ["Relu"]),  # a move in between
    ],
)
def test_only_one_value_leaves_a_task(tasks, nodes, outputs, first):
    assert tasks(CONV + nodes, outputs)[0] == ("Conv", first, [])


def test_operands_must_be_ready(tasks):
    """The second convolution's result comes too late for the first's epilogue, but not the other way round."""
    found = tasks(CONV + "d = Conv<pads=[1,1,1,1]>(r, w)  y = Add(c, d)")
    assert [(anchor, absorbed) for anchor, absorbed, _ in found] == [("Conv", []), ("Conv", ["Add"])]


def test_operands_must_fit_the_epilogue(tasks):
    """A row of positions is no operand of an image's epilogue; a whole tensor, one number a channel and a constant are."""
    half = np.float32(0.5).reshape(1, 1, 1, 1)
    assert tasks(CONV + "y = Add(c, r)")[0][1] == ["Add"]
    assert tasks(CONV + "a = Add(c, v)  y = Mul(a, half)", half=half)[0] == ("Conv", ["Add", "Mul"], ["v"])
    assert tasks(CONV + "y = Add(c, p)")[0][1] == []
    assert tasks(CONV + "b = Cast<to=1>(i)  y = Add(c, b)")[-1] == (None, ["Cast", "Add"], ["i", "c"])


def test_an_operator_that_changes_the_shape_ends_a_task(tasks):
    assert tasks("a = Relu(v)  y = Add(a, x)") == [(None, ["Relu"], ["v"]), (None, ["Add"], ["a", "x"])]


def test_softmax_and_reductions_have_no_epilogue(tasks):
    assert tasks("a = Softmax(x)  y = Relu(a)") == [("Softmax", [], []), (None, ["Relu"], ["a"])]


def test_expressions_do_not_grow_without_end(build):
    links = "  ".join(f"s{i} = Sigmoid(a{i})  a{i + 1} = Mul(a{i}, s{i})" for i in range(30))
    graph = prepare(build(f"g (float[3] x) => (float[3] a30) {{ a0 = Abs(x)  {links} }}")).graph
    found = group(graph)
    assert all(operations(task.expression) <= MOST_OPERATIONS for task in found)
    assert sum(len(task.absorbed) for task in found) == 61


def test_every_node_is_in_one_task(build):
    text = """g (float[1,4,6,6] x) => (float[1,4,6,6] y, float[1,4,6,6] b)
    { c = Conv<pads=[1,1,1,1]>(x, w)  a = Relu(c)  b = Exp(c)  d = Add(a, b)  e = Conv<pads=[1,1,1,1]>(d, w)
      f = Add(e, c)  h = MaxPool<kernel_shape=[3,3], pads=[1,1,1,1]>(f)  k = Mul(h, f)  y = Sub(k, a) }"""
    graph = prepare(build(text, w=W)).graph
    members = [node for task in group(graph) for node in [task.node, *task.absorbed] if node is not None]
    assert len(members) == len(set(members)) == len(graph)
    done = {*graph.inputs, *graph.initializers.values()}
    for task in group(graph):
        assert done >= set(task.operands) and (task.node is None or done >= set(task.node.inputs))
        done.add(task.output)
