"""The step of training and its size."""

import pytest
import torch

from spcompile.patterns import parse_choice
from spcompile.pruning import calibration_from, prune
from spcompile.pruning.network import Network
from spcompile.training import Recipe, distillation, held_out
from spcompile.training.distillation import Distillation
from tests.pruning.samples import images, network
from tests.pruning.test_sequential import choices


def begun() -> Distillation:
    model = network()
    pruned = prune(model, choices(model, parse_choice("unstructured@0.6")))
    return Distillation(model, pruned, *held_out(calibration_from(images(64), model), model, 0), 0, Recipe())


@pytest.fixture(scope="module")
def made():
    return begun()


def test_untrained_it_is_the_network_given(made):
    given = Network(made.source).constants
    for name, array in Network(made.model(made.snapshot())).constants.items():
        torch.testing.assert_close(array, given[name], rtol=1e-2, atol=1e-2)
        assert torch.equal(array == 0, given[name] == 0), name


@pytest.mark.parametrize(("refolded", "scales"), [(0.0, 0), (1e9, 3)])
def test_batch_norms_only_where_folding_them_anew_leaves_the_error(monkeypatch, refolded, scales):
    monkeypatch.setattr(distillation, "REFOLDED", refolded)
    made = begun()
    assert sum(name.endswith(":scale") for name in made.tuned) == scales
    before = made.error()
    assert made.step(0.5) and made.error() != before


def test_gradients_are_zero_where_pruned(made):
    assert made._gradients() > 0
    assert all(not made.tuned[name].grad[~alive].any() for name, alive in made.alive.items())
    assert all(tensor.grad.abs().max() > 0 for tensor in made.tuned.values())


def test_the_rate_is_what_the_first_order_says(made):
    """A tenth of the step, along all signs, on the same batch: the second order and the noise between batches leave it a factor."""
    state = made.random.get_state()
    before = made._gradients()
    with torch.no_grad():
        for tensor in made.tuned.values():
            tensor -= 0.1 * made.peak_rate * tensor.grad.sign()
    made.random.set_state(state)
    fall = 1 - made._gradients() / before
    assert 0.1 * Recipe().first_gain / 3 < fall < 0.1 * Recipe().first_gain * 3


def test_going_back_takes_the_weights_and_half_the_rate(made):
    rate, given = made.peak_rate, made.snapshot()
    assert made.step(0.5) and not all(torch.equal(weight, given[name]) for name, weight in made.snapshot().items())
    made.go_back(given)
    assert made.peak_rate == rate / 2 and all(torch.equal(weight, given[name]) for name, weight in made.snapshot().items())
    assert made.step(0.5), "the optimizer starts anew"
