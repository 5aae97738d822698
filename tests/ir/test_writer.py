import numpy as np
import onnx_ir as ir

from spcompile.ir.rewiring import replace
from spcompile.ir.writer import Writer


def test_nodes_and_constants_are_named_after_the_node(build, assert_equal_outputs):
    model = build("g (float[2,4] x) => (float[2,4] y) { [twice] y = Mul(x, two) }", two=np.array(2, np.float32))
    before = model.clone()
    node = model.graph[0]
    writer = Writer(node)
    left, right = writer.parts("Split", 2, node.inputs[0], axis=1, num_outputs=2)
    joined = writer.op("Concat", left, right, axis=1)
    writer.op("Add", joined, writer.op("Identity", joined), name="sum")
    replace(node, writer.nodes)
    assert [node.name for node in model.graph] == ["twice_Split", "twice_Concat", "twice_Identity", "sum"]
    assert_equal_outputs(before, model)


def test_names_are_used_once(build):
    node = build("g (float[2] x) => (float[2] y) { [twice] y = Neg(x) }").graph[0]
    writer = Writer(node)
    names = [writer.op("Abs", node.inputs[0]).producer().name for _ in range(3)]
    assert names == ["twice_Abs", "twice_Abs_2", "twice_Abs_3"]


def test_constants_keep_truth_and_floats_and_widen_whole_numbers(build):
    writer = Writer(build("g (float[2] x) => (float[2] y) { [twice] y = Neg(x) }").graph[0])
    held = [writer.held("role", array) for array in ([1, 2], np.array(3, np.int32), np.float32([0.5]), np.array([True]))]
    assert [value.dtype for value in held] == [ir.DataType.INT64, ir.DataType.INT64, ir.DataType.FLOAT, ir.DataType.BOOL]
    assert held[0].name == "twice_role"
    assert len({value.name for value in held}) == 4
