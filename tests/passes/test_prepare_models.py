"""Real models: what is left of them, and that they compute the same."""

from collections import Counter

import pytest

from spcompile.ir.frontend import load
from spcompile.ir.layers import find_layers
from spcompile.passes import prepare

LEFT = {
    "cifar10/resnet20": {"Conv": 19, "Relu": 19, "Add": 9, "Slice": 2, "Pad": 2, "AveragePool": 1, "Reshape": 1, "Gemm": 1},
    "cifar10/resnet56": {"Conv": 55, "Relu": 55, "Add": 27, "Slice": 2, "Pad": 2, "AveragePool": 1, "Reshape": 1, "Gemm": 1},
    "imagenet/efficientnet_lite0": {"Conv": 49, "Clip": 33, "Add": 9, "GlobalAveragePool": 1, "Reshape": 1, "Gemm": 1},
    "imagenet/mobilenet_v1_1.0_224": {"Conv": 28, "Clip": 27, "GlobalAveragePool": 1, "Flatten": 1},
    "imagenet/mobilenet_v2_1.0_224": {"Conv": 53, "Clip": 35, "Add": 10, "GlobalAveragePool": 1, "Flatten": 1},
    "imagenet/squeezenet10_sparse": {"Conv": 26, "Relu": 26, "Concat": 8, "MaxPool": 3, "ReduceMean": 1},
    "kws/dscnn": {"Conv": 9, "Relu": 9, "GlobalAveragePool": 1, "Flatten": 1, "Gemm": 1},
}


@pytest.mark.needs_shared
@pytest.mark.parametrize("name", LEFT)
def test_nothing_but_the_network_is_left(shared, name, assert_equal_outputs):
    model = load(shared / "assets" / f"{name}.onnx")
    prepared = prepare(model)
    assert Counter(node.op_type for node in prepared.graph) == LEFT[name]
    assert len(find_layers(prepared)) == LEFT[name]["Conv"] + LEFT[name].get("Gemm", 0)
    assert_equal_outputs(model, prepared)
