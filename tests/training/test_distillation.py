"""The step of training: its units and its size."""

import numpy as np
import pytest
import torch

from spcompile.ir.layers import find_layers
from spcompile.patterns import parse_choice
from spcompile.pruning import calibration_from, prune
from spcompile.pruning.network import Network
from spcompile.training import Recipe, held_out
from spcompile.training.distillation import Distillation, weight_units
from tests.pruning.samples import images, network
from tests.pruning.test_sequential import choices


@pytest.fixture(scope="module")
def made():
    model = network()
    pruned = prune(model, choices(model, parse_choice("unstructured@0.6")))
    return Distillation(model, pruned, *held_out(calibration_from(images(64), model), model, 0), 0, Recipe())


def test_units_follow_the_size_of_each_row_and_are_powers_of_two():
    model = network()
    constants = dict(Network(model).constants)
    constants["w0"] = constants["w0"] * torch.logspace(-1, 1, 8).reshape(-1, 1, 1, 1)
    units = weight_units(find_layers(model), constants)
    assert units.keys() == {name for layer in find_layers(model) for name in (layer.weight, layer.bias) if name}
    sizes = constants["w0"].square().mean((1, 2, 3)).sqrt()
    assert ((units["w0"][:, 0, 0, 0] / sizes).log2().abs() <= 0.51).all()
    for name, unit in units.items():
        assert unit.shape == constants[name].shape and np.all(np.frexp(unit.numpy())[0] == 0.5), name
        assert torch.equal(constants[name] / unit * unit, constants[name])


def test_a_row_of_zeros_has_a_unit():
    constants = dict(Network(network()).constants)
    constants["w0"] = torch.zeros_like(constants["w0"])
    constants["w2"] = constants["w2"] * (torch.arange(8) > 0).reshape(-1, 1, 1, 1)
    units = weight_units(find_layers(network()), constants)
    assert all(torch.isfinite(unit).all() and (unit > 0).all() for unit in units.values())


def test_untrained_weights_are_those_given_to_the_last_bit(made):
    given = Network(made.source).constants
    assert all(torch.equal(weight, given[name]) for name, weight in made.snapshot().items())


def test_gradients_are_zero_where_pruned(made):
    assert made._gradients() > 0
    assert all(not made.tuned[name].grad[~alive].any() for name, alive in made.alive.items())
    assert all(tensor.grad.abs().max() > 0 for tensor in made.tuned.values())


def test_the_rate_is_what_the_first_order_says(made):
    """A hundredth of the step, along all signs, on the same batch: the second order and the noise between batches leave it a factor."""
    state = made.random.get_state()
    before = made._gradients()
    with torch.no_grad():
        for tensor in made.tuned.values():
            tensor -= 0.01 * made.peak_rate * tensor.grad.sign()
    made.random.set_state(state)
    fall = 1 - made._gradients() / before
    assert 0.01 * Recipe().first_gain / 3 < fall < 0.01 * Recipe().first_gain * 3


def test_going_back_takes_the_weights_and_half_the_rate(made):
    rate, given = made.peak_rate, made.snapshot()
    assert made.step(0.5) and not all(torch.equal(weight, given[name]) for name, weight in made.snapshot().items())
    made.go_back(given)
    assert made.peak_rate == rate / 2 and all(torch.equal(weight, given[name]) for name, weight in made.snapshot().items())
    assert made.step(0.5), "the optimizer starts anew"
