"""Which unit runs a node."""

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
