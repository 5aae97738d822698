"""Parameters are finite numbers; masks need not be."""

import numpy as np

from spcompile.errors import ModelError


def require_finite(what: str, array: np.ndarray) -> None:
    """what: the array, as a sentence begins. Raises ModelError."""
    if not np.isfinite(array).all():
        raise ModelError(f"{what} holds NaN or infinity; weights and biases must be finite numbers: take a state from before training went wrong")


def is_mask(array: np.ndarray) -> bool:
    """Does it hold -infinity and nothing worse, as what is added to scores that must never win?"""
    return bool(np.isneginf(array).any() and (array < np.inf).all())
