"""Against numpy, batches too."""

import numpy as np
import pytest

from spcompile.pruning.algebra import inverse, product, solve


@pytest.mark.parametrize("batch", [(), (3,)])
@pytest.mark.parametrize("size", [1, 5, 33])
def test_products_inverses_and_solutions(batch, size):
    random = np.random.default_rng(size)
    root, b = random.normal(size=(*batch, size, size)), random.normal(size=(*batch, 4, size))
    a = root @ np.swapaxes(root, -1, -2) + np.eye(size)
    assert np.allclose(product(b, a), b @ a)
    assert np.allclose(inverse(a) @ a, np.eye(size))
    assert np.allclose(solve(a, b) @ a, b)
