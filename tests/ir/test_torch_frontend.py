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


@pytest.fixture
def head():
    """One linear layer, with the arguments and outputs that a test gives it: head(forward) -> a module."""
    import torch

    class Head(torch.nn.Module):
        def __init__(self, forward):
            super().__init__()
            self.linear, self.answer = torch.nn.Linear(16, 4), forward
            self.register_buffer("calls", torch.zeros(()))

        def forward(self, x, *others, **named):
            self.calls += 1
            return self.answer(self.linear, x, *others, **named)

    return Head


ROWS = np.random.default_rng(0).standard_normal((2, 16)).astype(np.float32)


def _masked(linear, x, mask=None, flag=True, power=1, mode="plain"):
    y = linear(x) ** power if flag else -linear(x)
    return (y if mask is None else y * mask) + (mode == "shifted")


@pytest.mark.parametrize(
    ("forward", "given", "expected"),
    [
        (_masked, (ROWS, None), lambda y: y),
        (_masked, {"x": ROWS, "mask": None}, lambda y: y),
        (_masked, {"x": ROWS, "flag": False}, lambda y: -y),
        (_masked, [ROWS, None, True, 2, "shifted"], lambda y: y * y + 1),
        (_masked, (ROWS, ROWS[:, :4]), lambda y: y * ROWS[:, :4]),
        (lambda linear, pair: linear(pair[0]) + linear(pair[1]), ((ROWS, ROWS),), lambda y: 2 * y),
        (lambda linear, pair: linear(pair[0]) + linear(pair[1]), ([ROWS, ROWS],), lambda y: 2 * y),
        (lambda linear, named: linear(named["a"]), ({"a": ROWS},), lambda y: y),
        (lambda linear, x: (linear(x), None), ROWS, lambda y: y),
    ],
    ids=["None", "None by name", "flag", "number and text", "two tensors", "tuple", "list", "dict", "None returned"],
)
def test_arguments_are_given_as_to_the_module(head, forward, given, expected):
    module = head(forward)
    model = load(module, example_inputs=given)
    (found,) = run(model, {value.name: ROWS[:, : value.shape[1]] for value in model.graph.inputs}).values()
    plain = ROWS @ module.linear.weight.detach().numpy().T + module.linear.bias.detach().numpy()
    np.testing.assert_allclose(found, expected(plain), rtol=1e-4, atol=1e-5)
    assert module.calls == 0  # the module is left as it was


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("text", r"example_inputs hold no tensor; give one tensor, a tuple of arguments, or a dict"),
        ((), "example_inputs hold no tensor"),
        ((ROWS, object()), "example_inputs hold object, which is no tensor"),
        (ROWS.astype(np.float64), "example_inputs are float64, which Head does not compute in; convert them to float32"),
        (np.ones((2, 16), np.int64), "Head cannot run on the example_inputs: .*dtype"),
        (ROWS[:, :15], "Head cannot run on the example_inputs: .*2x15"),
        ({"y": ROWS}, "Head cannot run on the example_inputs: .*argument"),
    ],
    ids=["text", "nothing", "object", "float64", "int64", "shape", "name"],
)
def test_arguments_that_the_module_does_not_take_are_refused(head, given, said):
    with pytest.raises(DataError, match=said) as caught:
        load(head(_masked), example_inputs=given)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("answer", "said"),
    [(None, "Head returns no tensor, so there is nothing to compute"), (("y", None, 3), "Head returns int, str among its outputs; let it return tensors only")],
)
def test_outputs_that_are_no_tensors_are_refused(head, answer, said):
    with pytest.raises(ModelError, match=said):
        load(head(lambda linear, x: answer), example_inputs=ROWS)


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
