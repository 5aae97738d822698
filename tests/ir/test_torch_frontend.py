import logging

import numpy as np
import pytest

from spcompile.errors import DataError, ModelError
from spcompile.ir.frontend import load
from spcompile.ir.session import run


@pytest.fixture(scope="module")
def network():
    import torch
    from torch import nn

    torch.manual_seed(0)
    layers = [nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.Hardswish(), nn.Dropout(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 5)]
    network = nn.Sequential(*layers)
    network[1].running_mean.uniform_(-1, 1)
    network[1].eval()
    return network


def test_exports_as_at_inference_quietly_and_leaves_the_module_alone(network, capfd):
    import torch

    flags = [part.training for part in network.modules()]
    image = np.random.default_rng(0).normal(size=(2, 3, 8, 8)).astype(np.float32)
    model = load(network, example_inputs=image)
    assert [part.training for part in network.modules()] == flags
    assert capfd.readouterr() == ("", "")
    assert logging.root.manager.disable == logging.NOTSET
    (name,) = (value.name for value in model.graph.inputs)
    found = next(iter(run(model, {name: image}).values()))
    with torch.no_grad():
        expected = network.eval()(torch.tensor(image)).numpy()
        network[6].weight.zero_()
    np.testing.assert_allclose(found, expected, atol=1e-5)
    np.testing.assert_array_equal(next(iter(run(model, {name: image}).values())), found)  # no memory is shared


def test_keyword_inputs():
    import torch

    class Difference(torch.nn.Module):
        def forward(self, first, second):
            return first - second

    model = load(Difference(), example_inputs={"second": torch.zeros(2, 3), "first": torch.ones(2, 3)})
    assert {value.name for value in model.graph.inputs} == {"first", "second"}
    assert next(iter(run(model, {"first": np.ones((2, 3), np.float32), "second": np.zeros((2, 3), np.float32)}).values())).sum() == 6


def test_what_torch_cannot_export_is_one_line(capfd):
    import torch

    class Branching(torch.nn.Module):
        def forward(self, x):
            return x if x.sum() > 0 else -x

    with pytest.raises(ModelError, match="torch cannot export Branching: Could not guard") as caught:
        load(Branching(), example_inputs=(torch.zeros(1, 3),))
    assert "\n" not in str(caught.value)
    assert capfd.readouterr() == ("", "")


def test_example_inputs_are_needed(network):
    with pytest.raises(DataError, match="needs example_inputs"):
        load(network)
