"""Columns are settled from left to right; those still open take the blame."""

from dataclasses import dataclass, field

import numpy as np

from spcompile.patterns import Choice, Pattern
from spcompile.pruning.algebra import factor, inverse, product
from spcompile.pruning.evidence import DAMPING, Evidence
from spcompile.pruning.pruner import Pruner
from spcompile.pruning.solvers import LeastSquares, Solver
from spcompile.verdict import Verdict

WIDTH = 128  # columns whose mask is chosen together


@dataclass(frozen=True)
class SparseGPT(Pruner):
    """Frantar and Alistarh 2023, arXiv:2301.00774, algorithm 1.

    U is the upper Cholesky factor of inv(A). Weight w of column j has saliency (w / U_jj)^2; removing it adds -(w / U_jj) U_j to the open columns.
    The level is the same in every block of columns, and in every group of a grouped layer.
    """

    name = "sparsegpt"
    needs_data = True
    solver: Solver = field(default_factory=LeastSquares, kw_only=True)
    damping: float = DAMPING

    def can(self, pattern: Pattern) -> Verdict:
        spans = pattern.unit((64, 64))[1] > 1
        return Verdict.no(f"sparsegpt settles column by column, a unit of {pattern.notation} spans several") if spans else Verdict.yes()

    def mask(self, evidence: Evidence, choice: Choice) -> np.ndarray:
        gram, target = evidence.normal_equations(self.damping)
        alive = (evidence.weight != 0).reshape(target.shape)
        return np.concatenate([_settle(a, t, living, choice) for a, t, living in zip(gram, target, alive, strict=True)])


def _settle(gram: np.ndarray, target: np.ndarray, alive: np.ndarray, choice: Choice) -> np.ndarray:
    """One group: A [columns, columns], T and alive [rows, columns] -> bool mask [rows, columns]."""
    inverted = inverse(gram)
    weight, upper = product(target, inverted) * alive, factor(inverted).T
    pool = choice.pattern.pool(weight.shape)[1]
    width = pool if pool < weight.shape[1] else WIDTH
    keep = np.ones(weight.shape, bool)
    for start in range(0, weight.shape[1], width):
        block = slice(start, start + width)
        saliency = (weight[:, block] / np.diag(upper)[block]) ** 2 * alive[:, block]
        keep[:, block] = choice.pattern.mask(saliency, choice.sparsity)
        errors = _settle_block(weight[:, block], upper[block, block], keep[:, block])
        weight[:, start + width :] -= product(errors, upper[block, start + width :])
    return keep


def _settle_block(weight: np.ndarray, upper: np.ndarray, keep: np.ndarray) -> np.ndarray:
    """Settle a block's columns in place -> what they ask of the columns behind it, [rows, width]."""
    errors = np.zeros_like(weight)
    for column in range(weight.shape[1]):
        errors[:, column] = weight[:, column] * ~keep[:, column] / upper[column, column]
        weight[:, column:] -= np.outer(errors[:, column], upper[column, column:])
    return errors
