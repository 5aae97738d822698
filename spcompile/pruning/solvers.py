"""What the survivors of a mask become. Any mask, of any pattern or none."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace

import numpy as np

from spcompile.pruning.algebra import product
from spcompile.pruning.cross_validation import cross_validated
from spcompile.pruning.evidence import Evidence

TRIAL_TOLERANCE = 1e-2  # tells dampings apart as well as 1e-4 does, in half the time


class Solver(ABC):
    """Subclasses are frozen dataclasses."""

    needs_data = True

    @abstractmethod
    def solve(self, evidence: Evidence, mask: np.ndarray) -> np.ndarray:
        """bool mask [rows, columns] -> float32 weights [rows, columns], zero where the mask is."""


@dataclass(frozen=True)
class KeepWeights(Solver):
    """Survivors stay as they are."""

    needs_data = False

    def solve(self, evidence: Evidence, mask: np.ndarray) -> np.ndarray:
        return evidence.weight * mask


@dataclass(frozen=True)
class LeastSquares(Solver):
    """The optimum V of mean |W x_dense - V x_pruned|^2 + d |W - V|^2 under the mask (`Evidence.normal_equations`).

    Where errors of rows are known to add up (`Evidence.row_factor` F, of pairs), both squares are e' F e: rows make up for one another, F V A = F T on the
    kept weights. Else V_S = T_S inv(A_SS), row by row. The two agree where no weight is zero.

    d comes from `damping`, or else from `cross_validated`, row by row: a layer that few positions teach must stay nearer to the dense weights than one
    that many do.

    Every row keeps its own columns S, so a factorisation would be one per row; conjugate gradients restricted to the kept weights solve all rows
    together in a few products with A and F (Saad 2003, "Iterative methods for sparse linear systems", algorithm 9.1, Jacobi preconditioner).
    """

    damping: float | None = None
    tolerance: float = 1e-4  # of the residual, in the preconditioned norm, against the start
    joint_tolerance: float = 1e-2  # likewise, for rows together, which start from where each by itself ends
    most_steps: int = 200

    def solve(self, evidence: Evidence, mask: np.ndarray) -> np.ndarray:
        damping = self._cross_validated(evidence, mask) if self.damping is None else self.damping
        apart = self._solved(evidence, mask, damping)
        known = evidence.row_factor is not None and evidence.row_factor.ndim == 2
        return self._together(evidence, mask, damping, apart) if known and not (mask & (evidence.weight != 0)).all() else apart

    def _together(self, evidence: Evidence, mask: np.ndarray, damping: float, start: np.ndarray) -> np.ndarray:
        gram, target = (moments[0].astype(np.float32) for moments in evidence.normal_equations(damping))
        return joint_solve(evidence.row_factor, gram, target, mask & (evidence.weight != 0), start, self.joint_tolerance, self.most_steps)

    def _cross_validated(self, evidence: Evidence, mask: np.ndarray) -> float:
        return cross_validated(evidence, mask, replace(self, tolerance=max(self.tolerance, TRIAL_TOLERANCE))._solved)

    def _solved(self, evidence: Evidence, mask: np.ndarray, damping: float) -> np.ndarray:
        gram, target = (moments.astype(np.float32) for moments in evidence.normal_equations(damping))
        keep = (mask & (evidence.weight != 0)).reshape(target.shape)
        start = evidence.grouped_weight * keep
        return masked_solve(gram, target, keep, start, self.tolerance, self.most_steps).reshape(mask.shape)


def masked_solve(gram: np.ndarray, target: np.ndarray, keep: np.ndarray, start: np.ndarray, tolerance: float, most_steps: int) -> np.ndarray:
    """Solve V A = T on the kept weights. A [groups, columns, columns], the others [groups, rows, columns] -> V, zero where `keep` is false."""
    scale = 1 / np.diagonal(gram, axis1=1, axis2=2)[:, None]
    solution = start.copy()
    residual = (target - product(solution, gram)) * keep
    direction = residual * scale
    power = first = (residual * direction).sum(axis=2, keepdims=True)
    floor = np.finfo(np.float32).tiny
    for _ in range(most_steps):
        if power.sum() <= tolerance**2 * first.sum():
            break
        image = product(direction, gram) * keep
        curvature = (direction * image).sum(axis=2, keepdims=True)
        step = np.divide(power, curvature, out=np.zeros_like(power), where=curvature > floor)  # rounding may leave A without a minimum that way
        solution += step * direction
        residual -= step * image
        scaled = residual * scale
        before, power = power, (residual * scaled).sum(axis=2, keepdims=True)
        direction = scaled + (power / np.maximum(before, floor)) * direction
    return solution


def joint_solve(factor: np.ndarray, gram: np.ndarray, target: np.ndarray, keep: np.ndarray, start: np.ndarray, tolerance: float, most_steps: int) -> np.ndarray:
    """Solve F V A = F T on the kept weights. F [rows, rows], A [columns, columns], the others [rows, columns] -> V, zero where `keep` is false."""
    scale = 1 / np.outer(np.diagonal(factor), np.diagonal(gram))
    solution = start.copy()
    residual = product(factor, target - product(solution, gram)) * keep
    direction = residual * scale
    power = first = float((residual * direction).sum())
    for _ in range(most_steps):
        if power <= tolerance**2 * first:
            break
        image = product(factor, product(direction, gram)) * keep
        curvature = float((direction * image).sum())
        if curvature <= np.finfo(np.float32).tiny:  # rounding may leave no minimum that way
            break
        solution += power / curvature * direction
        residual -= power / curvature * image
        scaled = residual * scale
        before, power = power, float((residual * scaled).sum())
        direction = scaled + power / before * direction
    return solution
