"""How much the dense weights hold the new ones back: what is fitted to one half of the samples is judged by the other half."""

from collections.abc import Callable
from functools import cache

import numpy as np

from spcompile.ir.layer import Layer
from spcompile.pruning.evidence import DAMPING, Evidence

STEP = 10**0.5
MOST = 6  # steps up from DAMPING, to 10; less than DAMPING gains nothing and lets rounding in
SHARE = 0.5  # of what half of the samples need: with twice as many, noise is half as large beside what they tell
SAMPLED_ROWS = 64  # all rows of a layer share their inputs, so a few tell


def cross_validated(evidence: Evidence, mask: np.ndarray, solved: Callable[[Evidence, np.ndarray, float], np.ndarray]) -> float:
    """The damping that errs least on samples that the weights were not fitted to; DAMPING where there is only one sample.

    Ridge regression with the ridge by twofold cross-validation (Stone 1974, "Cross-validatory choice and assessment of statistical predictions").
    solved: (evidence, mask, damping) -> weights [rows, columns].
    """
    if evidence.halves is None:
        return DAMPING
    rows = _some_rows(evidence.layer)
    (first, second), kept = (half.of_rows(rows) for half in evidence.halves), mask[rows]

    @cache
    def misfit(steps: int) -> float:
        damping = DAMPING * STEP**steps
        return sum(judge.misfit(solved(fitted, kept, damping)) for fitted, judge in ((first, second), (second, first)))

    steps = 0
    while steps < MOST and misfit(steps + 1) < misfit(steps):
        steps += 1
    return SHARE * DAMPING * STEP**steps


def _some_rows(layer: Layer) -> np.ndarray | slice:
    """Spread evenly; all where they are few or grouped."""
    return slice(None) if layer.rows <= SAMPLED_ROWS or layer.groups > 1 else np.linspace(0, layer.rows - 1, SAMPLED_ROWS).astype(int)
