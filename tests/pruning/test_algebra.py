"""Against numpy, batches too."""

import numpy as np
import pytest

from spcompile.pruning.algebra import factor, inverse, product, solve


@pytest.mark.parametrize("batch", [(), (3,)])
@pytest.mark.parametrize("size", [1, 5, 33])
def test_products_inverses_and_solutions(batch, size):
    random = np.random.default_rng(size)
    root, b = random.normal(size=(*batch, size, size)), random.normal(size=(*batch, 4, size))
    a = root @ np.swapaxes(root, -1, -2) + np.eye(size)
    assert np.allclose(product(b, a), b @ a)
    assert np.allclose(inverse(a) @ a, np.eye(size))
    assert np.allclose(solve(a, b) @ a, b)
    assert np.allclose(factor(a) @ np.swapaxes(factor(a), -1, -2), a)


@pytest.mark.parametrize("lowest", [-1e-12, -1e-6, -1.0])
@pytest.mark.parametrize("scale", [1e-12, 1.0, 1e12])
def test_a_matrix_that_is_not_quite_definite_is_raised_until_it_is(lowest, scale):
    """One of a batch, whose others stay as they are."""
    basis, _ = np.linalg.qr(np.random.default_rng(0).normal(size=(6, 6)))
    sound, broken = (scale * (basis * eigenvalues) @ basis.T for eigenvalues in ([1, 2, 3, 4, 5, 6], [lowest, lowest / 2, 3, 4, 5, 6]))
    first, second = factor(np.stack([sound, broken]))
    assert np.allclose(first @ first.T, sound, atol=1e-12 * scale)
    raised = second @ second.T - broken
    assert np.allclose(raised, raised[0, 0] * np.eye(6), atol=1e-12 * scale) and 0 < raised[0, 0] <= scale * max(1e-12, 20 * -lowest)
    assert np.isfinite(solve(np.stack([sound, broken]), np.ones((2, 3, 6)))).all() and np.isfinite(inverse(broken)).all()


def test_even_zeros_have_a_factor():
    assert np.isfinite(factor(np.zeros((2, 4, 4)))).all()
