"""The masked least squares against one exact solve per row."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spcompile.ir.layer import Layer
from spcompile.pruning import Evidence, KeepWeights, LeastSquares


def evidence(rows: int, columns: int, groups: int, seed: int, positions: int = 200) -> Evidence:
    """Correlated inputs, and a pruned prefix that disturbs them."""
    rng = np.random.default_rng(seed)
    layer = Layer("l", "Conv", "w", None, "x", "y", rows, columns, positions, groups)
    dense = rng.standard_normal((groups, columns, columns)) @ rng.standard_normal((groups, columns, positions))
    pruned = dense + 0.3 * rng.standard_normal(dense.shape)
    weight = rng.standard_normal((rows, columns)).astype(np.float32)
    zeros = np.zeros((groups, columns))
    return Evidence(layer, weight, pruned @ pruned.transpose(0, 2, 1) / positions, dense @ pruned.transpose(0, 2, 1) / positions, zeros, zeros)


@given(st.integers(1, 2), st.integers(1, 6), st.integers(1, 24), st.floats(0.05, 1), st.integers(0, 99))
@settings(max_examples=50, deadline=None)
def test_least_squares_is_the_exact_optimum(groups, rows, columns, density, seed):
    known = evidence(groups * rows, columns, groups, seed)
    mask = np.random.default_rng(seed).random(known.weight.shape) < density
    solved = LeastSquares(tolerance=1e-6).solve(known, mask)
    assert not solved[~mask].any()
    gram, target = known.normal_equations()
    for row, keep in enumerate(mask):
        a, t = gram[row // rows], target.reshape(mask.shape)[row]
        expected = np.linalg.solve(a[np.ix_(keep, keep)], t[keep])
        np.testing.assert_allclose(solved[row, keep], expected, rtol=2e-3, atol=2e-3 * max(1, np.abs(expected).max(initial=0)))


def coupling(rows: int, seed: int) -> np.ndarray:
    mix = np.random.default_rng(seed).standard_normal((rows, rows))
    return (mix @ mix.T + 0.1 * rows * np.eye(rows)).astype(np.float32)


@given(st.integers(1, 6), st.integers(1, 12), st.floats(0.05, 1), st.integers(0, 99))
@settings(max_examples=50, deadline=None)
def test_rows_together_are_the_exact_optimum(rows, columns, density, seed):
    """Of tr(F (W C - V G) ...): one system of all kept weights."""
    known = replace(evidence(rows, columns, 1, seed), row_factor=coupling(rows, seed))
    keep = np.random.default_rng(seed).random((rows, columns)) < density
    solved = LeastSquares(damping=0.01, tolerance=1e-6, joint_tolerance=1e-6, most_steps=2000).solve(known, keep)
    assert not solved[~keep].any()
    gram, target = (moments[0] for moments in known.normal_equations())
    at = keep.reshape(-1)
    system = np.kron(known.row_factor, gram)[np.ix_(at, at)]
    expected = np.linalg.solve(system, (known.row_factor @ target)[keep])
    np.testing.assert_allclose(solved[keep], expected, rtol=5e-3, atol=5e-3 * max(1, np.abs(expected).max(initial=0)))


def test_zeros_that_the_network_came_with_are_a_mask_too():
    known = evidence(5, 8, 1, 4)
    known.weight[np.random.default_rng(4).random((5, 8)) < 0.4] = 0
    alone, together = (LeastSquares(damping=0.01).solve(replace(known, row_factor=one), np.ones((5, 8), bool)) for one in (None, coupling(5, 4)))
    assert np.abs(alone - together).max() > 1e-2 and not together[known.weight == 0].any()


def test_rows_together_err_less_where_their_errors_add_up():
    known = evidence(8, 24, 1, 3)
    factor, mask = coupling(8, 3), np.random.default_rng(3).random((8, 24)) < 0.5
    apart, together = (LeastSquares().solve(replace(known, row_factor=one), mask) for one in (np.diagonal(factor), factor))
    difference, summed = [], []
    for new in (apart, together):
        error = known.weight.astype(np.float64) @ known.cross[0] @ -new.T
        moments = new @ known.gram[0] @ new.T + error + error.T
        difference.append(np.trace(moments))
        summed.append((factor * moments).sum())
    assert summed[1] < summed[0] and difference[1] > difference[0]


def test_nothing_lost_nothing_changed():
    """Dense inputs and a full mask: the dense weights are the optimum."""
    known = evidence(4, 6, 1, 0)
    same = Evidence(known.layer, known.weight, known.gram, known.gram, known.mean_dense, known.mean_pruned)
    np.testing.assert_allclose(LeastSquares().solve(same, np.ones((4, 6), bool)), known.weight, rtol=1e-4, atol=1e-4)


def test_zeros_of_the_network_stay_zero():
    known = evidence(4, 6, 1, 0)
    known.weight[1, 2] = 0
    assert LeastSquares().solve(known, np.ones((4, 6), bool))[1, 2] == 0


def test_a_row_without_survivors_is_zero():
    mask = np.ones((4, 6), bool)
    mask[2] = False
    assert not LeastSquares().solve(evidence(4, 6, 1, 0), mask)[2].any()


def test_dead_inputs_do_no_harm():
    """A column that is always zero, as behind a dead ReLU: finite weights."""
    known = evidence(4, 6, 1, 0)
    known.gram[:, 3], known.gram[:, :, 3], known.cross[:, 3], known.cross[:, :, 3] = 0, 0, 0, 0
    assert np.isfinite(LeastSquares().solve(known, np.ones((4, 6), bool))).all()


@pytest.mark.parametrize("gram", [np.zeros((1, 6, 6))])
def test_inputs_that_are_all_zero_keep_the_weights(gram):
    known = evidence(4, 6, 1, 0)
    silent = Evidence(known.layer, known.weight, gram, gram, known.mean_dense, known.mean_pruned)
    mask = np.random.default_rng(0).random((4, 6)) < 0.5
    np.testing.assert_allclose(LeastSquares().solve(silent, mask), known.weight * mask, rtol=1e-4, atol=1e-6)


def test_keep_weights_keeps_them():
    known = evidence(4, 6, 1, 0)
    mask = np.random.default_rng(0).random((4, 6)) < 0.5
    assert np.array_equal(KeepWeights().solve(known, mask), known.weight * mask)


def test_moments_that_rounding_made_indefinite_leave_finite_weights():
    known = evidence(4, 6, 1, 0)
    sizes, directions = np.linalg.eigh(known.gram[0])
    known.gram[0] -= (sizes[0] + 0.03 * sizes.mean()) * np.outer(directions[:, 0], directions[:, 0])
    assert np.linalg.eigvalsh(known.normal_equations()[0]).min() < 0 < np.diagonal(known.gram[0]).min()
    assert np.isfinite(LeastSquares().solve(known, np.ones((4, 6), bool))).all()
