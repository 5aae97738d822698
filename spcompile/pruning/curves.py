"""How much of a layer's output each level of a pattern costs, all levels in one pass."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from spcompile.ir.layer import Layer
from spcompile.patterns import Pattern
from spcompile.pruning.admm import Alternation, row_harms, spans_rows
from spcompile.pruning.evidence import DAMPING, Evidence

STEPS_PER_LEVEL = 2
STEPS_OF_ONE_LEVEL = 8  # patterns that have a single one
SAMPLED_ROWS = 256  # enough to know a mean over rows to a few per cent
TILE = 16  # neighbouring rows are sampled together, so that blocks stay whole


@dataclass(frozen=True)
class Curve:
    """Relative squared error of the layer's output, mean |W x - V x|^2 / mean |W x|^2, after the best update, over ascending shares of zeros."""

    sparsities: tuple[float, ...]
    errors: tuple[float, ...]

    def __post_init__(self):
        assert len(self.sparsities) == len(self.errors) > 0 and all(np.diff(self.sparsities) > 0) and min(self.errors) >= 0, self

    def at(self, sparsity: float) -> float:
        """Interpolated in the logarithm of the error; towards no zeros and no error below the first level."""
        if sparsity <= self.sparsities[0]:
            return self.errors[0] * (sparsity / self.sparsities[0]) ** 2 if self.sparsities[0] else 0.0
        floor = np.finfo(np.float32).tiny
        return float(np.exp(np.interp(sparsity, self.sparsities, np.log(np.maximum(self.errors, floor)))))


def curves(evidence: Evidence, judge: Evidence, patterns: tuple[Pattern, ...], rng: np.random.Generator) -> dict[Pattern, Curve]:
    """One curve per pattern that fits the layer and prunes anything; from a sample of rows where there are many.

    judge: evidence from other samples, on which errors are read. A layer with few positions per column fits its own samples far too well.
    """
    fitting = _fitting(evidence.layer, patterns)
    if not fitting:
        return {}
    rows = _sampled_rows(evidence.layer, rng)
    sample, jury = evidence.of_rows(rows), judge.of_rows(rows)
    alternation, found = Alternation(sample, DAMPING), {}
    for pattern in fitting:
        if spans_rows(evidence, pattern):
            found[pattern] = _row_curve(pattern, evidence, judge)
        else:
            alternation.restart(sample)
            found[pattern] = _pass(pattern, jury, alternation)
    return found


def weight_curves(evidence: Evidence, patterns: tuple[Pattern, ...], rng: np.random.Generator) -> dict[Pattern, Curve]:
    """The same from the weights alone: the share of their squares that is lost, as if inputs were white and nothing made up for it."""
    squares = np.square(evidence.weight)
    rows = _sampled_rows(evidence.layer, rng)
    sample = squares[rows]
    return {pattern: _weight_curve(pattern, squares if spans_rows(evidence, pattern) else sample) for pattern in _fitting(evidence.layer, patterns)}


def _weight_curve(pattern: Pattern, squares: np.ndarray) -> Curve:
    """One partial sort for all levels; what each takes away is then summed up once."""
    partitions = [pattern.partition(squares.shape, level) for level in pattern.levels]
    drops = [partition.drop for partition in partitions]
    units = np.partition(partitions[0].totals(squares), sorted({max(drop - 1, 0) for drop in drops}), axis=1)
    steps = [units[:, first:last].sum(dtype=np.float64) for first, last in pairwise([0, *drops])]
    lost = np.cumsum(steps) / max(float(units.sum(dtype=np.float64)), float(np.finfo(np.float32).tiny))
    return Curve(pattern.levels, tuple(float(share) for share in lost))


def _fitting(layer: Layer, patterns: tuple[Pattern, ...]) -> list[Pattern]:
    return [pattern for pattern in patterns if pattern.fits(layer) and pattern.fixed_sparsity != 0]


def _pass(pattern: Pattern, judge: Evidence, alternation: Alternation) -> Curve:
    """Raise the level step by step; the weights found at one level start the next."""
    errors = []
    for level in pattern.levels:
        for _ in range(STEPS_PER_LEVEL if len(pattern.levels) > 1 else STEPS_OF_ONE_LEVEL):
            alternation.step(pattern, level)
        errors.append(judge.relative_error(alternation.weight))
    return Curve(pattern.levels, tuple(np.maximum.accumulate(errors)))


def _row_curve(pattern: Pattern, evidence: Evidence, judge: Evidence) -> Curve:
    """Rows go in the order of what they cost on the evidence; what they cost is read on the judge."""
    harms = np.maximum(row_harms(judge, DAMPING), 0)[np.argsort(row_harms(evidence, DAMPING))]
    lost = np.concatenate([[0.0], np.cumsum(harms)])
    shares = lost[[round(level * len(harms)) for level in pattern.levels]] / max(lost[-1], np.finfo(np.float64).tiny)
    return Curve(pattern.levels, tuple(shares))


def _sampled_rows(layer: Layer, rng: np.random.Generator) -> np.ndarray | slice:
    """Some rows, in tiles of neighbours; all where they are few or grouped."""
    if layer.rows <= SAMPLED_ROWS or layer.groups > 1:
        return slice(None)
    tiles = np.sort(rng.choice(layer.rows // TILE, SAMPLED_ROWS // TILE, replace=False))
    return (tiles[:, None] * TILE + np.arange(TILE)).reshape(-1)
