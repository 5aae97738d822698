"""The weights that the network's output hardly depends on go."""

from dataclasses import dataclass, field

import numpy as np

from spcompile.patterns import Choice
from spcompile.pruning.evidence import Evidence
from spcompile.pruning.pruner import Pruner
from spcompile.pruning.solvers import LeastSquares, Solver

LEAST = 1e-6  # of the mean Fisher information: among weights without a gradient the smallest go


@dataclass(frozen=True)
class Fisher(Pruner):
    """Saliency w^2 F, where F is the mean square of the loss's derivative by w, the diagonal of the Fisher information (Theis et al. 2018,
    arXiv:1801.05787, section on pruning, without their price for operations; for single weights also Molchanov et al. 2019, arXiv:1906.10771).

    It is the second-order estimate of what dropping the weight alone adds to the output's squared error. Both papers differentiate a loss that
    needs labels; `squared_gradients` draws answers from the dense network. Unlike `wanda` it knows which rows matter to what lies behind the layer.
    """

    name = "fisher"
    needs_data = True
    needs_fisher = True
    solver: Solver = field(default_factory=LeastSquares, kw_only=True)

    def mask(self, evidence: Evidence, choice: Choice) -> np.ndarray:
        floor = max(LEAST * evidence.fisher.mean(), np.finfo(np.float32).tiny)
        return choice.pattern.mask(evidence.weight.astype(np.float64) ** 2 * (evidence.fisher + floor), choice.sparsity)
