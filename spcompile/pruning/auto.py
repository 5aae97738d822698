"""The best masks that a layer's size allows."""

from dataclasses import dataclass, field

import numpy as np

from spcompile.patterns import Choice
from spcompile.pruning.admm import Admm
from spcompile.pruning.evidence import Evidence
from spcompile.pruning.obc import Obc
from spcompile.pruning.pruner import Pruner
from spcompile.pruning.solvers import LeastSquares, Solver

MOST_WORK = 1e10  # multiply-accumulates for one layer's mask: some seconds of a core
POSITIONS_PER_COLUMN = 8  # below, what is exact about the inputs seen is chance about others
EXACT_DAMPING = 0.03  # 0.01 is a little better with many samples (ResNet-20), 0.1 with few (MiniLM); docs/accuracy-experiments.md


@dataclass(frozen=True)
class Auto(Pruner):
    """`Obc` where it can, within MOST_WORK and with enough inputs seen; else `Admm`, whose work grows with columns^2 and which can do any pattern."""

    name = "auto"
    needs_data = True
    solver: Solver = field(default_factory=LeastSquares, kw_only=True)
    exact: Obc = field(default_factory=lambda: Obc(damping=EXACT_DAMPING), kw_only=True)
    otherwise: Admm = field(default_factory=Admm, kw_only=True)

    def mask(self, evidence: Evidence, choice: Choice) -> np.ndarray:
        taught = evidence.positions >= POSITIONS_PER_COLUMN * evidence.layer.columns
        exact = taught and self.exact.can(choice.pattern) and self.exact.work(evidence.layer, choice) <= MOST_WORK
        return (self.exact if exact else self.otherwise).mask(evidence, choice)
