"""Which unit runs a node."""

import numpy as np
import pytest

from spcompile.accelerator.partition import partition
from spcompile.passes import prepare
from spcompile.targets import load_target


@pytest.mark.parametrize(
    ("size", "attributes", "whole"),
    [
        (8, "kernel_shape=[8,8]", True),
        (8, "kernel_shape=[7,7], strides=[7,7]", False),
        (8, "kernel_shape=[6,8], strides=[3,1]", False),
        (7, "kernel_shape=[4,4], dilations=[2,2]", False),
        (2, "kernel_shape=[4,4], pads=[1,1,1,1]", False),
    ],
)
def test_the_vector_unit_averages_whole_images_only(build, size, attributes, whole):
    model = prepare(build(f"g (float[1,4,{size},{size}] x) => (float[1,4,a,b] y) {{ r = Relu(x) y = AveragePool<{attributes}>(r) }}"))
    (step,) = [step for step in partition(model, load_target("zcu104")) if step.op_type == "AveragePool"]
    assert (step.unit != "host") == whole, step


@pytest.mark.parametrize(
    ("nodes", "unit"),
    [
        ("s = Softmax(x)  y = Unsqueeze(s, one)", "host"),
        ("s = Softmax(x)  u = Unsqueeze(s, one)  t = Tanh(u)  y = MatMul(t, w)", "host"),
        ("s = Softmax(x)  u = Unsqueeze(s, one)  y = MatMul(u, w)", "view"),
        ("a = MatMul(x, w)  y = Unsqueeze(a, one)", "view"),
        ("a = MatMul(x, w)  u = Unsqueeze(a, one)  y = Tanh(u)", "view"),
    ],
)
def test_numbers_that_are_the_hosts_alone_are_not_rounded_for_a_view(build, nodes, unit):
    model = prepare(build(f"g (float[1,8] x) => (float[1,1,8] y) {{ {nodes} }}", one=np.array([1]), w=np.eye(8, dtype=np.float32)))
    (step,) = [step for step in partition(model, load_target("zcu104")) if step.op_type == "Unsqueeze"]
    assert step.unit == unit, step
