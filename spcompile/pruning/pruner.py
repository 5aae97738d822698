"""The face every pruner shows: which weights stay (a mask), and what the survivors become (a solver)."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, field

import numpy as np

from spcompile.patterns import Choice, Pattern
from spcompile.pruning.evidence import Evidence
from spcompile.pruning.solvers import KeepWeights, Solver
from spcompile.verdict import Verdict


@dataclass(frozen=True)
class Pruner(ABC):
    """Subclasses choose masks; any of them works with any solver. To use one of your own, subclass and hand it to `prune`."""

    solver: Solver = field(default_factory=KeepWeights, kw_only=True)

    @property
    @abstractmethod
    def name(self) -> str:
        """As a user writes it."""

    @property
    def needs_data(self) -> bool:
        """Does `mask` or the solver read the evidence's moments?"""
        return self.solver.needs_data

    @property
    def needs_fisher(self) -> bool:
        """Does `mask` read `Evidence.fisher`? It costs a pass through the network and back, for some hundred samples."""
        return False

    def can(self, pattern: Pattern) -> Verdict:
        """Can masks of this pattern be chosen, at any level? A plan leaves out what cannot; the driver turns a refusal into a PatternError."""
        return Verdict.yes()

    @abstractmethod
    def mask(self, evidence: Evidence, choice: Choice) -> np.ndarray:
        """-> bool [rows, columns], True keeps; obeys the choice's pattern. Weights that are zero already go first."""
