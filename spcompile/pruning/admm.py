"""Masks by alternating between the best weights and the nearest allowed ones."""

from dataclasses import dataclass, field

import numpy as np

from spcompile.patterns import Choice, Pattern
from spcompile.pruning.algebra import inverse, product
from spcompile.pruning.evidence import DAMPING, Evidence
from spcompile.pruning.pruner import Pruner
from spcompile.pruning.solvers import LeastSquares, Solver

PENALTY = 1.0  # rho of the paper, in units of A's diagonal


class Alternation:
    """Boža 2024, arXiv:2401.02938, "Fast and effective weight update for pruned large language models", section 4.

    Columns are scaled to unit diagonal of A; Z holds weights that obey the pattern, U the price of holding them there:
        X = (T + rho (Z - U)) inv(A + rho I)      the best weights near the allowed ones
        mask = pattern.mask((X + U)^2, weighed by row)
        Z = (X + U) mask,   U = U + X - Z
    """

    def __init__(self, evidence: Evidence, damping: float):
        gram, target = evidence.normal_equations(damping)
        self.shape, self.row_weight = evidence.weight.shape, evidence.row_weight.astype(np.float32)
        self.scale = np.sqrt(np.diagonal(gram, axis1=1, axis2=2))[:, None]
        regular = gram / self.scale / self.scale.transpose(0, 2, 1) + PENALTY * np.eye(evidence.layer.columns)
        self.inverse = inverse(regular).astype(np.float32)
        self.target = (target / self.scale).astype(np.float32)
        self.restart(evidence)

    def restart(self, evidence: Evidence) -> None:
        """Back to the dense weights, for another pattern."""
        self.allowed = (evidence.grouped_weight * self.scale).astype(np.float32)
        self.alive, self.price = self.allowed != 0, np.zeros_like(self.allowed)

    def step(self, pattern: Pattern, sparsity: float) -> np.ndarray:
        """-> the mask of this step, bool [rows, columns]."""
        best, wanted = self.propose()
        keep = pattern.mask((wanted**2).reshape(self.shape) * self.row_weight, sparsity)
        self.settle(best, wanted * keep.reshape(wanted.shape))
        return keep

    def propose(self) -> tuple[np.ndarray, np.ndarray]:
        """-> X, and X + U where the network has weights at all; float32 [groups, rows of a group, columns]."""
        best = product(self.target + PENALTY * (self.allowed - self.price), self.inverse)
        return best, (best + self.price) * self.alive

    def settle(self, best: np.ndarray, allowed: np.ndarray) -> None:
        """X and the new Z."""
        self.allowed = allowed
        self.price += best - allowed

    @property
    def weight(self) -> np.ndarray:
        """Z in the layer's own scale, [rows, columns]."""
        return (self.allowed / self.scale).astype(np.float32).reshape(self.shape)


def row_harms(evidence: Evidence, damping: float) -> np.ndarray:
    """What dropping a whole row costs, known exactly because no survivor in it can take the blame: w A w' of its best weights, weighed, float64 [rows]."""
    gram, target = evidence.normal_equations(damping)
    return (product(target, inverse(gram)) * target).sum(axis=2).reshape(-1) * evidence.row_weight[:, 0]


def spans_rows(evidence: Evidence, pattern: Pattern) -> bool:
    """Do whole rows live or die, so that `mask_of_rows` is the answer?"""
    return pattern.unit(evidence.weight.shape)[1] == evidence.layer.columns > 1


def mask_of_rows(evidence: Evidence, choice: Choice, damping: float) -> np.ndarray:
    """The optimal mask of a pattern whose units are whole rows, bool [rows, columns]: by `row_harms`."""
    return choice.pattern.mask(np.broadcast_to(row_harms(evidence, damping)[:, None], evidence.weight.shape), choice.sparsity)


@dataclass(frozen=True)
class Admm(Pruner):
    """`Alternation` for `steps` steps, for any pattern; the level rises as Zhu and Gupta 2017 (arXiv:1710.01878, equation 1) let it.

    Units that span all columns are dropped by `row_harms`.
    """

    name = "admm"
    needs_data = True
    solver: Solver = field(default_factory=LeastSquares, kw_only=True)
    damping: float = DAMPING
    steps: int = 20
    rising_share: float = 0.75  # of the steps; the last ones are taken at the full level

    def mask(self, evidence: Evidence, choice: Choice) -> np.ndarray:
        if spans_rows(evidence, choice.pattern):
            return mask_of_rows(evidence, choice, self.damping)
        alternation = Alternation(evidence, self.damping)
        for step in range(1, self.steps + 1):
            keep = alternation.step(choice.pattern, self._level(choice, step))
        return keep

    def _level(self, choice: Choice, step: int) -> float:
        """Share of zeros at this step; patterns of one level have it from the start."""
        risen = min(1.0, step / (self.rising_share * self.steps))
        return choice.sparsity if choice.pattern.fixed_sparsity is not None else choice.sparsity * (1 - (1 - risen) ** 3)
