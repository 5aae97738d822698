"""Exact masks where layers are small, the alternation's where they are not."""

from dataclasses import replace

import numpy as np
import pytest

from spcompile.patterns import parse_choice
from spcompile.pruning import Admm, Auto, Obc, auto
from tests.pruning.test_solvers import evidence

KNOWN = replace(evidence(rows=16, columns=24, groups=1, seed=0), positions=200)
CHOICES = [parse_choice(text) for text in ("unstructured@0.7", "block4x1@0.5", "2:4")]


def same(one, other, choice) -> bool:
    return np.array_equal(one.mask(KNOWN, choice), other.mask(KNOWN, choice))


@pytest.mark.parametrize("choice", CHOICES, ids=lambda choice: choice.notation)
def test_small_layers_are_pruned_exactly(choice):
    exact = Obc(damping=auto.EXACT_DAMPING)
    assert same(Auto(), exact, choice) and not same(exact, Admm(), choice)


@pytest.mark.parametrize("choice", CHOICES, ids=lambda choice: choice.notation)
def test_large_ones_by_the_alternation(monkeypatch, choice):
    monkeypatch.setattr(auto, "MOST_WORK", Obc().work(KNOWN.layer, choice) * 0.99)
    assert same(Auto(), Admm(), choice)


def test_what_few_inputs_teach_is_left_to_the_alternation_too():
    few, choice = replace(KNOWN, positions=8 * 24 - 1), CHOICES[0]
    np.testing.assert_array_equal(Auto().mask(few, choice), Admm().mask(few, choice))


def test_what_elimination_cannot_do_is_left_to_the_alternation():
    choice = parse_choice("block16x16@0.5")
    assert not Obc().can(choice.pattern) and Auto().can(choice.pattern)
    square = replace(evidence(rows=32, columns=32, groups=1, seed=1), positions=1000)
    np.testing.assert_array_equal(Auto().mask(square, choice), Admm().mask(square, choice))


def test_blocks_of_rows_share_their_work():
    one, four = (Obc().work(KNOWN.layer, parse_choice(f"{pattern}@0.5")) for pattern in ("unstructured", "block4x1"))
    assert one == 16 * 24**3 / 3 == 4 * four
