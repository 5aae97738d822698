"""The convex problem's solution against its optimality conditions, and what its masks are worth."""

import numpy as np
import pytest

from spcompile.patterns import parse_choice
from spcompile.pruning import LeastSquares, Magnitude, NetTrim
from spcompile.pruning.admm import Alternation
from spcompile.pruning.evidence import DAMPING
from spcompile.pruning.nettrim import shrink
from tests.pruning.test_solvers import evidence


@pytest.mark.parametrize("text", ["unstructured@0.3", "unstructured@0.8", "block4x1@0.5", "2:4", "dense"])
def test_steps_end_where_the_convex_problem_does(text):
    """Scaled columns: (T - V A) of a unit is price x its direction where V is not zero, and no longer than price where it is."""
    known, choice = evidence(8, 16, 1, seed=3), parse_choice(text)
    partition, alternation = choice.pattern.partition((8, 16), choice.sparsity), Alternation(known, DAMPING)
    for _ in range(3000):
        price = shrink(alternation, partition)
    gram, target = known.normal_equations()
    slope = (target[0] - alternation.weight @ gram[0]) / alternation.scale[0]
    lengths, sizes = (np.sqrt(partition.totals(matrix.astype(np.float64) ** 2)) for matrix in (slope, alternation.allowed[0]))
    kept = sizes > 0
    assert np.array_equal((~kept).sum(axis=1), np.full(partition.pools, partition.drop))
    far = 0.01 * max(price.max(), lengths.max(), 1)
    assert (lengths <= price + far).all()
    np.testing.assert_allclose(lengths[kept], np.broadcast_to(price, lengths.shape)[kept], atol=far)
    along = partition.totals(slope * alternation.allowed[0])[kept]
    np.testing.assert_allclose(along, (lengths * sizes)[kept], atol=far * sizes.max())


@pytest.mark.parametrize("text", ["unstructured@0.7", "unstructured@0.9", "2:4", "block4x1@0.7"])
def test_no_worse_than_magnitude_with_the_same_update(text):
    """Random problems with correlated inputs."""
    choice, ours, blind = parse_choice(text), [], []
    for seed in range(12):
        known = evidence(16, 48, 1, seed)
        for pruner, errors in ((NetTrim(), ours), (Magnitude(), blind)):
            errors.append(known.relative_error(LeastSquares().solve(known, pruner.mask(known, choice))))
    assert np.mean(ours) <= 0.9 * np.mean(blind)
    assert np.mean(np.array(ours) <= np.array(blind)) >= 0.9
