"""Orders of rows that suit blocks, of in-channels that suit N:M."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spcompile.patterns import parse
from spcompile.pruning.orders import alike, apart


def lost(saliency: np.ndarray, pattern: str, sparsity: float) -> float:
    """Share of all saliency [rows, columns]."""
    mask = parse(pattern).mask(saliency, sparsity)
    return float((saliency * ~mask).sum() / saliency.sum())


def planted(groups: int, size: int, columns: int, seed: int) -> np.ndarray:
    """Rows of a group have the same half of the columns large; rows lie in random order."""
    rng = np.random.default_rng(seed)
    wanted = np.repeat([rng.permutation(columns) < columns // 2 for _ in range(groups)], size, axis=0)
    return (wanted + 0.01 * rng.random(wanted.shape))[rng.permutation(groups * size)]


@pytest.mark.parametrize("size", [2, 4, 8])
def test_rows_that_want_the_same_columns_become_neighbours(size):
    saliency = planted(8, size, 32, seed=size)
    assert lost(saliency[alike(saliency)], f"block{size}x1", 0.5) < 0.02 < lost(saliency, f"block{size}x1", 0.5)


def test_what_is_together_stays_together():
    saliency = planted(8, 4, 32, seed=0)
    order = alike(saliency, 4)
    assert not np.array_equal(order, np.arange(32))
    np.testing.assert_array_equal(order.reshape(8, 4) - order[::4, None], np.tile(np.arange(4), (8, 1)))


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 24), st.integers(1, 12), st.integers(0, 99))
def test_any_matrix_gets_an_order(rows, columns, seed):
    saliency = np.random.default_rng(seed).random((rows, columns))
    order = alike(saliency)
    assert sorted(order.tolist()) == list(range(rows))
    if rows % 2:
        np.testing.assert_array_equal(order, np.arange(rows))


@pytest.mark.parametrize("order", [alike, lambda saliency: apart(saliency, 2, 4)])
def test_silent_rows_do_no_harm(order):
    assert sorted(order(np.zeros((8, 4))).tolist()) == list(range(8))


@pytest.mark.parametrize(("kept", "of"), [(2, 4), (1, 4), (4, 8), (8, 32)])
def test_in_channels_that_are_wanted_together_are_put_apart(kept, of):
    """Every row wants `kept` of every `of` in-channels of some order, which is not theirs; nearly all of that can be kept."""
    rng, groups, rows = np.random.default_rng(of), 4, 64
    wanted = np.concatenate([rng.permuted(np.tile(np.arange(of) < kept, (rows, 1)), axis=1) for _ in range(groups)], axis=1)
    saliency = (wanted + 0.01 * rng.random(wanted.shape))[:, rng.permutation(groups * of)]
    order = apart(saliency.T, kept, of)
    assert sorted(order.tolist()) == list(range(groups * of))
    assert lost(saliency[:, order], f"{kept}:{of}", 1 - kept / of) < 0.75 * lost(saliency, f"{kept}:{of}", 1 - kept / of)


@pytest.mark.parametrize("seed", range(5))
def test_two_groups_are_parted_about_as_well_as_any_order_does(seed):
    saliency = np.random.default_rng(seed).random((5, 8)) ** 4
    ways = [[0, *three, *sorted({*range(1, 8)} - {*three})] for three in combinations(range(1, 8), 3)]
    best, worst = (which(lost(saliency[:, way], "2:4", 0.5) for way in ways) for which in (min, max))
    assert lost(saliency[:, apart(saliency.T, 2, 4)], "2:4", 0.5) <= best + 0.1 * (worst - best)
