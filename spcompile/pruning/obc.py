"""Weights go one at a time, always the one whose loss the others can best make up for."""

from dataclasses import dataclass, field

import numpy as np

from spcompile.ir.layer import Layer
from spcompile.patterns import Choice, Pattern
from spcompile.pruning.admm import mask_of_rows, spans_rows
from spcompile.pruning.algebra import inverse, product
from spcompile.pruning.evidence import DAMPING, Evidence
from spcompile.pruning.pruner import Pruner
from spcompile.pruning.solvers import LeastSquares, Solver
from spcompile.verdict import Verdict


@dataclass(frozen=True)
class Obc(Pruner):
    """Optimal Brain Compression: Frantar and Alistarh 2022, arXiv:2208.11580, section 4, ExactOBS (algorithm 1) and its mask over all rows.

    Each row is a least-squares problem of its own; neighbouring rows of a block lose the same columns, so they share an inverse and their weighed harms add up.
    For N:M a row's groups close when they have given their share. Else every row is emptied to the end, and then rows give way in the order of the
    harm of their next removal, as many times as the level asks. After removals the survivors are the optimum row by row;
    `LeastSquares` finds it anew, and lets rows make up for one another.

    Cost: rows / rows of a block x columns^3 / 3 multiply-accumulates, a little less for 2:4; an inverse of columns x columns for each row of a batch.
    One core of an AMD EPYC Zen 4 took 8 s for 512 x 512 unstructured, 6 s at 2:4, 2 s in 4x1 blocks; 512 x 4608 is 700 times that work.
    """

    name = "obc"
    needs_data = True
    solver: Solver = field(default_factory=LeastSquares, kw_only=True)
    damping: float = DAMPING

    def can(self, pattern: Pattern) -> Verdict:
        unit, pool = pattern.unit((64, 64)), pattern.pool((64, 64))
        if unit[1] not in (1, 64):
            return Verdict.no(f"obc removes column by column or whole rows, a unit of {pattern.notation} spans {unit[1]} columns")
        if pool != (64, 64) and pool[0] != unit[0]:
            return Verdict.no(f"obc treats rows apart, a group of {pattern.notation} spans {pool[0]} of them")
        return Verdict.yes()

    def work(self, layer: Layer, choice: Choice) -> float:
        """Multiply-accumulates that a mask takes, at most."""
        height = choice.pattern.unit((layer.rows, layer.columns))[0]
        return layer.rows / height * layer.columns**3 / 3

    def mask(self, evidence: Evidence, choice: Choice) -> np.ndarray:
        from spcompile.pruning.elimination import trace

        if spans_rows(evidence, choice.pattern):
            return mask_of_rows(evidence, choice, self.damping)
        partition = choice.pattern.partition(evidence.weight.shape, choice.sparsity)
        (height, _), columns = partition.unit, evidence.layer.columns
        over_rows = partition.pool == partition.shape
        pool, drop = (columns, columns) if over_rows else (partition.pool[1], partition.drop)
        gram, target = evidence.normal_equations(self.damping)
        shape = (evidence.layer.groups, -1, height, columns)
        best = (product(target, inverse(gram)).reshape(evidence.weight.shape) * np.sqrt(evidence.row_weight)).reshape(shape)
        order, harms = trace(gram, best, (evidence.weight != 0).reshape(shape), pool, drop)
        places = _across_rows(harms) if over_rows else np.broadcast_to(np.arange(order.shape[1]), order.shape)
        saliency = np.full((len(order), columns), order.size)
        np.put_along_axis(saliency, order, places, axis=1)
        return choice.pattern.mask(np.repeat(saliency, height, axis=0), choice.sparsity)


def _across_rows(harms: np.ndarray) -> np.ndarray:
    """harms of each row's removals in order [rows, steps] -> the place of each among all, where the row whose next removal is cheapest always comes next.

    A removal that is cheaper than one before it in its row comes right after that: so rows are sorted by their largest harm so far.
    """
    places = np.empty(harms.size, np.int64)
    places[np.argsort(np.maximum.accumulate(harms, axis=1).reshape(-1), kind="stable")] = np.arange(harms.size)
    return places.reshape(harms.shape)
