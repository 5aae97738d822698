"""Distortion against its definition on whole arrays."""

import numpy as np
import pytest

from spcompile.pruning.distortion import distortion


def of_whole(dense, moved):
    return ((moved - dense) ** 2).sum() / ((dense - dense.mean(axis=0)) ** 2).sum()


@pytest.mark.parametrize("size", [1, 2, 6])
def test_batches_add_up_to_the_whole(size):
    random = np.random.default_rng(0)
    dense = {"a": 5 + random.normal(size=(6, 3, 2)), "b": random.normal(size=(6, 4)).astype(np.float32)}
    moved = {name: array + 0.1 * random.normal(size=array.shape) for name, array in dense.items()}
    batches = [tuple({name: array[at : at + size] for name, array in side.items()} for side in (dense, moved)) for at in range(0, 6, size)]
    assert distortion(batches) == pytest.approx(np.mean([of_whole(dense[name].astype(float), moved[name]) for name in dense]))


def test_outputs_that_never_vary_are_no_division_by_zero():
    same = {"y": np.ones((4, 2))}
    assert distortion([(same, same)]) == 0


def test_outputs_that_a_mask_makes_infinite_do_not_count():
    random = np.random.default_rng(0)
    dense = random.normal(size=(6, 4))
    moved, mask = dense + 0.1 * random.normal(size=(6, 4)), np.array([0, 0, 0, -np.inf])
    assert distortion([({"y": dense + mask}, {"y": moved + mask})]) == pytest.approx(of_whole(dense[:, :3], moved[:, :3]))
