"""Second moments of rows from few batches, against what they were drawn from."""

import numpy as np
import pytest
import torch

from spcompile.ir.layer import Layer
from spcompile.pruning.row_sums import MOST_ROWS, RowSums

ROWS = 12


def estimated(batches, rows: int = ROWS, groups: int = 1) -> np.ndarray:
    sums = RowSums(Layer("l", "Conv", "w", None, "x", "y", rows, 3, 5, groups))
    for batch in batches:
        sums.add(torch.from_numpy(batch))
    return sums.estimate().numpy()


def drawn(mix: np.ndarray, batches: int, seed: int = 0) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [(rng.standard_normal((5, len(mix))) @ mix).astype(np.float32) for _ in range(batches)]


def off_diagonal(matrix: np.ndarray) -> np.ndarray:
    return matrix - np.diag(np.diagonal(matrix))


def test_nearer_to_the_truth_than_the_sums_and_than_their_diagonal():
    """On average: any one estimate may be a little further away."""
    mix = np.random.default_rng(1).standard_normal((ROWS, ROWS))
    truth, squares = off_diagonal(mix.T @ mix), []
    for seed in range(40):
        batches = drawn(mix, batches=6, seed=seed)
        raw, shrunk = sum(batch.T @ batch for batch in batches) / 30, estimated(batches) / 30
        np.testing.assert_allclose(np.diagonal(shrunk), np.diagonal(raw), rtol=1e-5)
        squares.append([np.square(off_diagonal(one) - truth).sum() for one in (shrunk, raw, np.zeros_like(raw))])
    shrunk, raw, alone = np.mean(squares, axis=0)
    assert shrunk < 0.95 * min(raw, alone)


def test_rows_that_have_nothing_to_do_with_one_another_stand_apart():
    found = estimated(drawn(np.eye(ROWS), batches=40))
    assert found.ndim == 1 or np.linalg.norm(off_diagonal(found)) < 0.05 * np.linalg.norm(np.diagonal(found))


def test_batches_that_agree_are_believed():
    batch = drawn(np.random.default_rng(1).standard_normal((ROWS, ROWS)), batches=1)[0]
    np.testing.assert_allclose(estimated([batch] * 4), 4 * batch.T @ batch, rtol=1e-4, atol=1e-4)


def test_what_comes_out_is_positive_semidefinite():
    for batches in (2, 3, 20):
        assert np.linalg.eigvalsh(estimated(drawn(np.ones((ROWS, ROWS)), batches)).astype(np.float64)).min() > -1e-3


@pytest.mark.parametrize("batches", [0, 1])
def test_one_batch_tells_nothing_of_pairs(batches):
    given = drawn(np.ones((ROWS, ROWS)), batches)
    np.testing.assert_allclose(estimated(given), sum((np.square(batch).sum(0) for batch in given), np.zeros(ROWS)), rtol=1e-5)


@pytest.mark.parametrize(("rows", "groups"), [(ROWS, 4), (MOST_ROWS + 1, 1), (1, 1)])
def test_some_layers_are_looked_at_row_by_row(rows, groups):
    batches = drawn(np.ones((1, rows)), batches=3)
    np.testing.assert_allclose(estimated(batches, rows, groups), sum(np.square(batch).sum(0) for batch in batches), rtol=1e-5)
