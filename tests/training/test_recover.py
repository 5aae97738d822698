"""Distillation under frozen masks."""

import time

import numpy as np
import pytest

from spcompile.errors import DataError
from spcompile.ir.layers import find_layers, weight
from spcompile.patterns import parse_choice
from spcompile.pruning import calibration_from, prune
from spcompile.training import Recipe, recover
from tests.pruning.samples import images, network
from tests.pruning.test_sequential import choices, distance


@pytest.fixture(scope="module")
def case():
    model = network()
    calibration = calibration_from(images(96), model)
    return model, calibration, prune(model, choices(model, parse_choice("unstructured@0.8")), calibration)


def test_training_brings_the_output_closer_and_keeps_the_masks(case):
    model, calibration, _ = case
    pruned = prune(model, choices(model, parse_choice("unstructured@0.6")))  # by magnitude: nothing has been made up for yet
    recovered = recover(model, pruned, calibration, 600, recipe=Recipe(most_steps=40))
    fresh = images(64, seed=9)
    assert distance(model, recovered.model, fresh) < 0.8 * distance(model, pruned.model, fresh)
    assert recovered.masks is pruned.masks
    for layer in find_layers(recovered.model):
        before = next(weight(pruned.model, other) for other in find_layers(pruned.model) if other.name == layer.name)
        assert not weight(recovered.model, layer)[before == 0].any()
    assert "recovered without labels" in recovered.notes[-1]


def test_a_training_that_explodes_gives_back_what_it_was_given(case):
    model, calibration, pruned = case
    recovered = recover(model, pruned, calibration, 600, recipe=Recipe(peak_rate=1e9, most_steps=5))
    for layer in find_layers(recovered.model):
        before = next(weight(pruned.model, other) for other in find_layers(pruned.model) if other.name == layer.name)
        assert np.array_equal(weight(recovered.model, layer), before)


def test_the_seed_decides(case):
    model, calibration, pruned = case
    one, other = (recover(model, pruned, calibration, 600, seed=4, recipe=Recipe(most_steps=5)).model for _ in range(2))
    for layer in find_layers(one):
        assert np.array_equal(weight(one, layer), weight(other, layer))


def test_the_time_is_kept(case):
    model, calibration, pruned = case
    recover(model, pruned, calibration, 0.2)
    started = time.monotonic()
    recover(model, pruned, calibration, 1)
    assert time.monotonic() - started < 10, "one second of training, and what surrounds it on a busy machine"


def test_too_few_samples_are_refused(case):
    model, _, pruned = case
    with pytest.raises(DataError, match="12 samples; recovery needs at least 20"):
        recover(model, pruned, calibration_from(images(12), model), 1)
