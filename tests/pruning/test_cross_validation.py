"""The damping that does best on samples it was not fitted to."""

from dataclasses import replace

import numpy as np
import pytest

from spcompile.pruning import Evidence, LeastSquares
from spcompile.pruning.cross_validation import MOST, SHARE, STEP, cross_validated
from spcompile.pruning.evidence import DAMPING
from tests.pruning.test_solvers import evidence

GRID = [DAMPING * STEP**steps for steps in range(MOST + 1)]
solved = LeastSquares(tolerance=1e-6)._solved


def taught(rows: int, columns: int, groups: int, positions: int, noise: float, seed: int = 0) -> Evidence:
    """Two halves drawn alike, the second with a seed of its own; `noise`: of the pruned inputs against the dense ones."""
    rng = np.random.default_rng(seed)
    mixing = rng.standard_normal((groups, columns, columns))
    known = evidence(rows, columns, groups, seed, positions)

    def half() -> Evidence:
        dense = mixing @ rng.standard_normal((groups, columns, positions))
        pruned = dense + noise * rng.standard_normal(dense.shape) * np.abs(dense).mean()
        return replace(known, gram=pruned @ pruned.transpose(0, 2, 1) / positions, cross=dense @ pruned.transpose(0, 2, 1) / positions)

    first, second = half(), half()
    return replace(first, gram=(first.gram + second.gram) / 2, cross=(first.cross + second.cross) / 2, halves=(first, second))


@pytest.mark.parametrize(("rows", "groups"), [(8, 1), (100, 1), (6, 3)])
@pytest.mark.parametrize("positions", [6, 40, 2000])
def test_no_other_damping_of_the_grid_errs_less_next_to_it(rows, groups, positions):
    known = taught(rows, 12, groups, positions, 0.5)
    mask = np.random.default_rng(1).random(known.weight.shape) < 0.5
    at = GRID.index(pytest.approx(cross_validated(known, mask, solved) / SHARE))
    first, second = known.halves
    kept = slice(None) if rows <= 64 else np.linspace(0, rows - 1, 64).astype(int)

    def misfit(damping: float) -> float:
        return sum(_of(judge, kept).misfit(solved(_of(fitted, kept), mask[kept], damping)) for fitted, judge in ((first, second), (second, first)))

    assert misfit(GRID[at]) == min(misfit(damping) for damping in GRID[max(0, at - 1) : at + 2])


def _of(known: Evidence, rows) -> Evidence:
    return known if isinstance(rows, slice) else known.of_rows(rows)


def test_the_less_is_known_the_more_the_dense_weights_hold():
    mask = np.ones((8, 12), bool)
    few, many = (cross_validated(taught(8, 12, 1, positions, 0.5), mask, solved) for positions in (8, 4000))
    assert few > 10 * many


def test_few_samples_are_survived_better_than_with_one_damping_for_all():
    """What it is for: error on fresh inputs, from positions fewer than columns."""
    known, fresh = taught(8, 24, 1, 10, 0.5), taught(8, 24, 1, 4000, 0.5)
    mask = np.random.default_rng(1).random((8, 24)) < 0.7
    assert fresh.misfit(LeastSquares().solve(known, mask)) < fresh.misfit(LeastSquares(damping=DAMPING).solve(known, mask))


def test_a_single_sample_leaves_the_usual_damping():
    assert cross_validated(evidence(4, 6, 1, 0), np.ones((4, 6), bool), solved) == DAMPING


def test_misfit_is_the_squared_error_less_what_no_weight_changes():
    rng = np.random.default_rng(0)
    dense, pruned = rng.standard_normal((2, 1, 6, 50))
    known = replace(evidence(4, 6, 1, 0), gram=pruned @ pruned.transpose(0, 2, 1) / 50, cross=dense @ pruned.transpose(0, 2, 1) / 50)
    new = rng.standard_normal((4, 6)).astype(np.float32)
    wanted, got = known.weight @ dense[0], new @ pruned[0]
    assert known.misfit(new) == pytest.approx(((wanted - got) ** 2).sum() / 50 - (wanted**2).sum() / 50)
