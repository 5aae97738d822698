"""What the survivors of a mask become. Any mask, of any pattern or none."""

from abc import ABC, abstractmethod
from collections.abc import Callable
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
    joint_tolerance: float = 1e-1  # likewise, for rows together, which start from where each by itself ends: 1 % of what that gains is left
    most_steps: int = 200

    def solve(self, evidence: Evidence, mask: np.ndarray) -> np.ndarray:
        damping = self._cross_validated(evidence, mask) if self.damping is None else self.damping
        problem = _Problem.of(evidence, mask, damping)
        apart, factor = self._apart(problem), evidence.row_factor
        together = factor is not None and factor.ndim == 2 and not problem.keep.all()
        return (self._together(problem, factor, apart) if together else apart).reshape(mask.shape)

    def _cross_validated(self, evidence: Evidence, mask: np.ndarray) -> float:
        return cross_validated(evidence, mask, replace(self, tolerance=max(self.tolerance, TRIAL_TOLERANCE))._solved)

    def _solved(self, evidence: Evidence, mask: np.ndarray, damping: float) -> np.ndarray:
        """Row by row."""
        return self._apart(_Problem.of(evidence, mask, damping)).reshape(mask.shape)

    def _apart(self, problem: "_Problem") -> np.ndarray:
        scale = 1 / np.diagonal(problem.gram, axis1=1, axis2=2)[:, None]
        return _minimum(lambda v: product(v, problem.gram), problem.target, problem.keep, scale, problem.start, 2, self.tolerance, self.most_steps)

    def _together(self, problem: "_Problem", factor: np.ndarray, start: np.ndarray) -> np.ndarray:
        scale = 1 / np.outer(np.diagonal(factor), np.diagonal(problem.gram[0]))
        return _minimum(
            lambda v: product(factor, product(v, problem.gram)), product(factor, problem.target), problem.keep, scale, start, (1, 2),
            self.joint_tolerance, self.most_steps,
        )  # fmt: skip


@dataclass(frozen=True)
class _Problem:
    """V A = T on the kept weights, and where to begin. A float32 [groups, columns, columns], the others [groups, rows of a group, columns]."""

    gram: np.ndarray
    target: np.ndarray
    keep: np.ndarray
    start: np.ndarray

    @classmethod
    def of(cls, evidence: Evidence, mask: np.ndarray, damping: float) -> "_Problem":
        gram, target = (moments.astype(np.float32) for moments in evidence.normal_equations(damping))
        keep = (mask & (evidence.weight != 0)).reshape(target.shape)
        return cls(gram, target, keep, evidence.grouped_weight * keep)


def _minimum(
    image_of: Callable[[np.ndarray], np.ndarray],
    target: np.ndarray,
    keep: np.ndarray,
    scale: np.ndarray,
    start: np.ndarray,
    axis: int | tuple[int, ...],
    tolerance: float,
    most_steps: int,
) -> np.ndarray:
    """Solve image_of(V) = T on the kept weights by conjugate gradients -> V, zero where `keep` is false.

    scale: the preconditioner. axis: along which weights depend on one another; all else is solved side by side.
    """
    solution = start.copy()
    residual = (target - image_of(solution)) * keep
    direction = residual * scale
    power = first = (residual * direction).sum(axis=axis, keepdims=True)
    floor = np.finfo(np.float32).tiny
    for _ in range(most_steps):
        if power.sum() <= tolerance**2 * first.sum():
            break
        image = image_of(direction) * keep
        curvature = (direction * image).sum(axis=axis, keepdims=True)
        step = np.divide(power, curvature, out=np.zeros_like(power), where=curvature > floor)  # rounding may leave no minimum that way
        solution += step * direction
        residual -= step * image
        scaled = residual * scale
        before, power = power, (residual * scaled).sum(axis=axis, keepdims=True)
        direction = scaled + (power / np.maximum(before, floor)) * direction
    return solution
