"""Chance, repeatable."""

from dataclasses import replace

import numpy as np

from spcompile.patterns import parse_choice
from spcompile.pruning import Random
from tests.pruning.test_solvers import evidence

HALF = parse_choice("unstructured@0.5")


def test_each_seed_and_each_layer_has_its_own_draw():
    known = evidence(16, 32, 1, 0)
    other = replace(known, layer=replace(known.layer, name="other"))
    first, again, reseeded, elsewhere = (Random().mask(seen, HALF).reshape(-1) for seen in (known, known, replace(known, seed=1), other))
    assert np.array_equal(first, again)
    for draw in (reseeded, elsewhere):
        assert 0.4 < (draw == first).mean() < 0.6


def test_every_weight_is_kept_as_often():
    known = evidence(8, 16, 1, 0)
    often = np.mean([Random().mask(replace(known, seed=seed), HALF) for seed in range(400)], axis=0)
    assert abs(often.mean() - 0.5) < 1e-9 and abs(often - 0.5).max() < 0.12, "four and a half standard deviations of 400 draws"
