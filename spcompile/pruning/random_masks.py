"""Any weight may go: what every other pruner has to beat."""

import zlib
from dataclasses import dataclass

import numpy as np

from spcompile.patterns import Choice
from spcompile.pruning.evidence import Evidence
from spcompile.pruning.pruner import Pruner


@dataclass(frozen=True)
class Random(Pruner):
    """Saliency uniform in (0, 1], and 0 where the network has no weight; another draw for each seed and each layer's name. Needs no data.

    With the layer levels of `erdos_renyi_kernel` this is the start of Evci et al. 2020, arXiv:1911.11134, section 3.
    """

    name = "random"

    def mask(self, evidence: Evidence, choice: Choice) -> np.ndarray:
        rng = np.random.default_rng([evidence.seed, zlib.crc32(evidence.layer.name.encode())])
        return choice.pattern.mask((1 - rng.random(evidence.weight.shape)) * (evidence.weight != 0), choice.sparsity)
