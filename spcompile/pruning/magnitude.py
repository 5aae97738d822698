"""The smallest weights go."""

from dataclasses import dataclass

import numpy as np

from spcompile.patterns import Choice
from spcompile.pruning.evidence import Evidence
from spcompile.pruning.pruner import Pruner


@dataclass(frozen=True)
class Magnitude(Pruner):
    """Saliency w^2, summed over what is pruned together (Han et al. 2015, arXiv:1506.02626, section 3). Needs no data."""

    name = "magnitude"

    def mask(self, evidence: Evidence, choice: Choice) -> np.ndarray:
        return choice.pattern.mask(evidence.weight**2, choice.sparsity)
