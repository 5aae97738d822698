"""Exact greedy removal against solving anew after every removal, and against trying every mask."""

import heapq
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spcompile.errors import PatternError
from spcompile.patterns import Choice, Pattern, parse, parse_choice
from spcompile.pruning import Evidence, LeastSquares, Magnitude, Obc, elimination, prune
from spcompile.pruning.algebra import inverse, product
from spcompile.pruning.elimination import trace
from spcompile.verdict import Verdict
from tests.pruning.samples import network
from tests.pruning.test_solvers import evidence


def lost(known: Evidence, row: int, kept: list[int]) -> float:
    """What the best weights of `row` on these columns cost over the best on all of them."""
    gram, target = known.normal_equations()
    group, rows = divmod(row, known.weight.shape[0] // known.layer.groups)
    a, t = gram[group], target[group, rows]
    return float(t @ np.linalg.solve(a, t) - t[kept] @ np.linalg.solve(a[np.ix_(kept, kept)], t[kept]))


def greedy(known: Evidence, rows: list[int], pool: int, drop: int) -> tuple[list[int], list[float]]:
    """Rows that lose the same columns: each removal is the one whose exact least-squares loss is smallest -> order, harms."""
    columns = known.weight.shape[1]
    kept, order, harms, before = list(range(columns)), [], [], 0.0
    for _ in range(columns // pool * drop):
        full = {at for at in range(columns // pool) if sum(column // pool == at for column in order) == drop}
        options = {column: sum(lost(known, row, [k for k in kept if k != column]) for row in rows) for column in kept if column // pool not in full}
        column = min(options, key=options.get)
        kept.remove(column)
        order.append(column)
        harms.append(options[column] - before)
        before = options[column]
    return order, harms


def found(known: Evidence, height: int, pool: int, drop: int) -> tuple[np.ndarray, np.ndarray]:
    gram, target = known.normal_equations()
    shape = (known.layer.groups, -1, height, known.layer.columns)
    return trace(gram, product(target, inverse(gram)).reshape(shape), (known.weight != 0).reshape(shape), pool, drop)


@pytest.mark.parametrize(("height", "pool", "drop"), [(1, 8, 8), (1, 4, 2), (1, 8, 3), (2, 8, 8), (4, 8, 5)])
@pytest.mark.parametrize("groups", [1, 2])
def test_every_removal_is_the_cheapest_and_costs_what_solving_anew_says(groups, height, pool, drop):
    known = evidence(8, 8, groups, seed=height + drop)
    orders, harms = found(known, height, pool, drop)
    for problem, (order, harm) in enumerate(zip(orders, harms, strict=True)):
        expected, costs = greedy(known, list(range(problem * height, (problem + 1) * height)), pool, drop)
        assert order.tolist() == expected
        np.testing.assert_allclose(harm, costs, rtol=1e-2, atol=1e-4 * sum(costs))


def test_one_removal_against_the_formula():
    """harm = w_p^2 / inv(A)_pp, equation 3 of the paper, at the row's best weights."""
    known = evidence(6, 12, 1, seed=5)
    gram, target = known.normal_equations()
    inverted = np.linalg.inv(gram[0])
    harms = (target[0] @ inverted) ** 2 / np.diag(inverted)
    order, harm = found(known, 1, 12, 1)
    assert np.array_equal(order[:, 0], harms.argmin(1))
    np.testing.assert_allclose(harm[:, 0], harms.min(1), rtol=1e-3)


@given(st.integers(0, 999), st.integers(1, 7))
@settings(max_examples=30, deadline=None)
def test_no_mask_of_a_row_is_better_by_much(seed, drop):
    """Against all masks: a single removal is the best one; of several, greed may miss it."""
    known = evidence(1, 8, 1, seed)
    ours = lost(known, 0, np.flatnonzero(Obc().mask(known, Choice(parse("unstructured"), drop / 8))[0]).tolist())
    best = min(lost(known, 0, list(kept)) for kept in combinations(range(8), 8 - drop))
    assert best * (1 - 1e-6) <= ours <= best * (1.001 if drop == 1 else 20) + 1e-6


def test_mostly_it_is_the_best_of_all_masks():
    ours, blind = [], []
    for seed in range(40):
        known = evidence(1, 8, 1, seed)
        best = min(lost(known, 0, list(kept)) for kept in combinations(range(8), 4))
        for pruner, ratios in ((Obc(), ours), (Magnitude(), blind)):
            mask = pruner.mask(known, parse_choice("unstructured@0.5"))
            ratios.append(lost(known, 0, np.flatnonzero(mask[0]).tolist()) / best)
    assert np.median(ours) < 1 + 1e-6 and np.mean(ours) < 1.2
    assert np.mean(blind) > 1.5


def test_rows_give_way_in_the_order_of_their_next_harm():
    """The level over all rows, against a heap as in the paper."""
    known = evidence(5, 10, 1, seed=2)
    traces = [greedy(known, [row], 10, 10) for row in range(5)]
    heap, mask = [(harms[0], row, 0) for row, (_, harms) in enumerate(traces)], np.ones((5, 10), bool)
    heapq.heapify(heap)
    for _ in range(30):
        _, row, step = heapq.heappop(heap)
        order, harms = traces[row]
        mask[row, order[step]] = False
        if step + 1 < 10:
            heapq.heappush(heap, (harms[step + 1], row, step + 1))
    assert np.array_equal(Obc().mask(known, parse_choice("unstructured@0.6")), mask)


def test_least_squares_finds_the_weights_that_removals_leave():
    """So a mask from one and an update from the other are the paper's whole method."""
    import torch

    known = evidence(4, 16, 1, seed=1)
    gram, target = known.normal_equations()
    inverted = torch.from_numpy(np.repeat(inverse(gram), 4, axis=0))
    problem = elimination.Elimination(inverted, torch.from_numpy(product(target, inverse(gram)))[0][:, None])
    for column in (3, 0, 9, 12):
        problem.remove(torch.full((4,), column))
    mask = np.ones((4, 16), bool)
    mask[:, [3, 0, 9, 12]] = False
    np.testing.assert_allclose(problem.weight[:, 0].numpy(), LeastSquares(tolerance=1e-7).solve(known, mask), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("text", ["unstructured@0.7", "2:4", "block2x1@0.5"])
def test_batches_folds_and_cuts_change_nothing(monkeypatch, text):
    known = evidence(12, 80, 1, seed=4)
    whole = Obc().mask(known, parse_choice(text))
    monkeypatch.setattr(elimination, "WORKSPACE_BYTES", 5 * 80 * 80 * 4)
    monkeypatch.setattr(elimination, "LAZY", 7)
    monkeypatch.setattr(elimination, "SHRINK", 0)
    assert np.array_equal(Obc().mask(known, parse_choice(text)), whole)


def test_zeros_of_a_row_go_before_anything_else():
    known = evidence(4, 16, 1, seed=1)
    known.weight[:, ::4] = 0
    order, _ = found(known, 1, 16, 16)
    assert np.array_equal(np.sort(order[:, :4]), np.tile([0, 4, 8, 12], (4, 1)))
    assert Obc().mask(known, parse_choice("unstructured@0.25"))[:, ::4].sum() == 0


class Tiles(Pattern):
    """A pattern of a user's own."""

    notation = "tile1x4"

    def unit(self, shape):
        return 1, 4

    def holds(self, layer):
        return Verdict.yes()


class Sheets(Tiles):
    notation = "sheet8x1"

    def unit(self, shape):
        return 1, 1

    def pool(self, shape):
        return 8, 1


@pytest.mark.parametrize(("pattern", "reason"), [(Tiles(), "a unit of tile1x4 spans 4 columns"), (Sheets(), "a group of sheet8x1 spans 8 of them")])
def test_patterns_it_cannot_do_are_refused(pattern, reason):
    with pytest.raises(PatternError, match=reason):
        prune(network(), {"point": Choice(pattern, 0.5)}, pruner=Obc())
