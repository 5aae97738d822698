"""The smallest products of weight and input go."""

from dataclasses import dataclass

import numpy as np

from spcompile.patterns import Choice
from spcompile.pruning.evidence import Evidence
from spcompile.pruning.pruner import Pruner


@dataclass(frozen=True)
class Wanda(Pruner):
    """Saliency w^2 |x|^2 (Sun et al. 2023, arXiv:2306.11695, equation 1), compared over the layer with its rows weighed.

    The input's norm comes from the diagonal of the gram.
    """

    name = "wanda"
    needs_data = True

    def mask(self, evidence: Evidence, choice: Choice) -> np.ndarray:
        power = np.diagonal(evidence.gram, axis1=1, axis2=2)[:, None]
        return choice.pattern.mask((evidence.grouped_weight**2 * power).reshape(evidence.weight.shape) * evidence.row_weight, choice.sparsity)
