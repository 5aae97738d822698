"""The sparsest weights near the dense output, as a convex problem."""

from dataclasses import dataclass, field

import numpy as np

from spcompile.patterns import Choice
from spcompile.patterns.partition import Partition
from spcompile.pruning.admm import PENALTY, Alternation, mask_of_rows, spans_rows
from spcompile.pruning.evidence import DAMPING, Evidence
from spcompile.pruning.pruner import Pruner
from spcompile.pruning.solvers import LeastSquares, Solver


@dataclass(frozen=True)
class NetTrim(Pruner):
    """Net-Trim (Aghasi et al. 2017, arXiv:1611.05162) for a layer whose activation is left out, with a price on weights instead of a bound on the error:

        minimise  mean |W x_dense - V x_pruned|^2 / 2 + sum over pools of price x sum over its units |V_unit|

    |V_unit| is the Euclidean length of what lives or dies together, so single weights have the paper's L1 norm; columns are scaled to unit power, so that
    inputs' scales have no say in it. Solved by alternating directions as in arXiv:1806.06457: where `Alternation` has a mask, this shrinks,

        Z = (X + U) max(0, 1 - price / (rho |X + U|))

    and in every step each pool's price is the one that drops its share of the units. The constraints that the paper adds for outputs that a ReLU cuts off
    need every single position; evidence holds their second moments alone. Units that span all columns go by `row_harms`.
    A price shortens the weights that stay, too: at half of the weights, single or in blocks, that misleads it so much that magnitude's masks are as good.
    """

    name = "nettrim"
    needs_data = True
    solver: Solver = field(default_factory=LeastSquares, kw_only=True)
    damping: float = DAMPING
    steps: int = 100

    def mask(self, evidence: Evidence, choice: Choice) -> np.ndarray:
        if spans_rows(evidence, choice.pattern):
            return mask_of_rows(evidence, choice, self.damping)
        partition = choice.pattern.partition(evidence.weight.shape, choice.sparsity)
        alternation = Alternation(evidence, self.damping)
        for _ in range(self.steps):
            shrink(alternation, partition)
        _, wanted = alternation.propose()
        return partition.keep_best(wanted.reshape(partition.shape) ** 2)


def shrink(alternation: Alternation, partition: Partition) -> np.ndarray:
    """One step -> the price it took, [pools, 1]."""
    best, wanted = alternation.propose()
    lengths = np.sqrt(partition.totals(wanted.reshape(partition.shape) ** 2))
    dropped = np.sort(lengths, axis=1)[:, partition.drop - 1 : partition.drop] if partition.drop else np.zeros((partition.pools, 1), lengths.dtype)
    kept = np.maximum(0, 1 - dropped / np.maximum(lengths, np.finfo(lengths.dtype).tiny))
    alternation.settle(best, wanted * partition.spread(kept).reshape(wanted.shape))
    return PENALTY * dropped
