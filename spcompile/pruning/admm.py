"""Masks by alternating between the best weights and the nearest allowed ones."""

from dataclasses import dataclass, field

import numpy as np

from spcompile.patterns import Choice
from spcompile.pruning.evidence import DAMPING, Evidence
from spcompile.pruning.pruner import Pruner
from spcompile.pruning.solvers import LeastSquares, Solver


@dataclass(frozen=True)
class Admm(Pruner):
    """Boža 2024, arXiv:2401.02938, "Fast and effective weight update for pruned large language models", section 4, for any pattern.

    Columns are scaled to unit diagonal of A; then `steps` times, with Z the weights allowed and U the price of leaving the mask:
        X = (T + rho (Z - U)) inv(A + rho I)      the best weights near the allowed ones
        mask = pattern.mask((X + U)^2)            at a level that grows as Zhu and Gupta 2017 (arXiv:1710.01878, equation 1) let it
        Z = (X + U) mask,   U = U + X - Z
    A unit that spans all columns leaves no survivor in its row to take the blame: what it costs is known exactly, w A w'.
    """

    name = "admm"
    needs_data = True
    solver: Solver = field(default_factory=LeastSquares, kw_only=True)
    damping: float = DAMPING
    penalty: float = 1.0  # rho, in units of A's diagonal
    steps: int = 20
    rising_share: float = 0.75  # of the steps; the last ones are taken at the full level

    def mask(self, evidence: Evidence, choice: Choice) -> np.ndarray:
        gram, target = evidence.normal_equations(self.damping)
        if choice.pattern.unit(evidence.weight.shape)[1] == evidence.layer.columns > 1:
            best = np.linalg.solve(gram, target.transpose(0, 2, 1)).transpose(0, 2, 1)
            return choice.pattern.mask((best * target).reshape(evidence.weight.shape), choice.sparsity)
        return self._alternate(evidence, choice, gram, target)

    def _alternate(self, evidence: Evidence, choice: Choice, gram: np.ndarray, target: np.ndarray) -> np.ndarray:
        scale = np.sqrt(np.diagonal(gram, axis1=1, axis2=2))[:, None]
        unit_gram = gram / scale / scale.transpose(0, 2, 1)
        inverse = np.linalg.inv(unit_gram + self.penalty * np.eye(evidence.layer.columns)).astype(np.float32)
        target = (target / scale).astype(np.float32)
        allowed = (evidence.grouped_weight * scale).astype(np.float32)
        alive, price = allowed != 0, np.zeros_like(allowed)
        for step in range(1, self.steps + 1):
            best = (target + self.penalty * (allowed - price)) @ inverse
            wanted = (best + price) * alive
            keep = choice.pattern.mask((wanted**2).reshape(evidence.weight.shape), self._level(choice, step))
            allowed = wanted * keep.reshape(wanted.shape)
            price += best - allowed
        return keep

    def _level(self, choice: Choice, step: int) -> float:
        """Share of zeros at this step; patterns of one level have it from the start."""
        risen = min(1.0, step / (self.rising_share * self.steps))
        return choice.sparsity if choice.pattern.fixed_sparsity is not None else choice.sparsity * (1 - (1 - risen) ** 3)
