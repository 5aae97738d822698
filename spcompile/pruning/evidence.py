"""What calibration data says about one layer: the second moments of its inputs, and what its weights mean to the output."""

from dataclasses import dataclass, replace

import numpy as np

from spcompile.ir.layer import Layer
from spcompile.pruning.algebra import product

DAMPING = 0.01  # of the mean diagonal, as SparseGPT (arXiv:2301.00774, section 4) uses
LEAST_DAMPING = 1e-6  # of the largest group's mean diagonal


def diagonal(factor: np.ndarray) -> np.ndarray:
    """What an error in each row counts alone, [rows]; factor: [rows, rows], or that already."""
    return factor if factor.ndim == 1 else np.diagonal(factor)


@dataclass(frozen=True)
class Evidence:
    """All that a pruner may look at. x is the column of inputs at one position, as the dense or the already pruned network gives it.

    With weights W and bias b the layer gives W x + b, so over all positions the change of its output when W becomes V (and the bias follows) is

        mean |W x_dense - V x_pruned|^2 = tr(W S W') - 2 tr(W C V') + tr(V G V')        G = `gram`, C = `cross`

    which is all that a squared error can depend on. Layers with a bias are centred first: their bias absorbs the means exactly.
    Without calibration data gram and cross are None and only the weights are known. What lies behind the layer is seen by `row_factor`, by which errors
    of its rows add up, and by `fisher`, for pruners that ask for it (`Pruner.needs_fisher`).
    """

    layer: Layer
    weight: np.ndarray  # float32 [rows, columns], dense
    gram: np.ndarray | None = None  # float64 [groups, columns, columns]: mean of x_pruned x_pruned'
    cross: np.ndarray | None = None  # float64 [groups, columns, columns]: mean of x_dense x_pruned'
    mean_dense: np.ndarray | None = None  # float64 [groups, columns]: zero for a layer without bias
    mean_pruned: np.ndarray | None = None  # float64 [groups, columns]: zero for a layer without bias
    fisher: np.ndarray | None = None  # float64 [rows, columns]: what the dense network's outputs owe to each weight, `gradients.squared_gradients`
    row_factor: np.ndarray | None = None  # of `influence`, [rows, rows] or its diagonal alone [rows]; None where all rows count alike
    positions: int = 0  # that the moments were taken from
    seed: int = 0  # for pruners that draw by chance
    halves: tuple["Evidence", "Evidence"] | None = None  # the same from every other sample, where asked for and more than one was seen

    def __post_init__(self):
        rows, columns, groups = self.layer.rows, self.layer.columns, self.layer.groups
        assert self.weight.shape == (rows, columns), (self.weight.shape, self.layer)
        assert self.gram is None or self.gram.shape == self.cross.shape == (groups, columns, columns), self.gram.shape
        assert self.fisher is None or self.fisher.shape == self.weight.shape, self.fisher.shape
        assert self.row_factor is None or self.row_factor.shape in ((rows,), (rows, rows)), self.row_factor.shape

    @property
    def grouped_weight(self) -> np.ndarray:
        """[groups, rows of a group, columns]"""
        return self.weight.reshape(self.layer.groups, -1, self.layer.columns)

    @property
    def row_weight(self) -> np.ndarray:
        """What an error in each row counts alone, float64 [rows, 1]."""
        return np.ones((self.layer.rows, 1)) if self.row_factor is None else diagonal(self.row_factor).astype(np.float64)[:, None]

    def normal_equations(self, damping: float = DAMPING) -> tuple[np.ndarray, np.ndarray]:
        """-> A float64 [groups, columns, columns], T float64 [groups, rows of a group, columns]: the best V for any mask solves V A = T on kept columns.

        Minimises mean |W x_dense - V x_pruned|^2 + d |W - V|^2: A = G + d I, T = W C + d W, with d = damping x mean diagonal of G.
        """
        mean_diagonal = np.trace(self.gram, axis1=1, axis2=2) / self.layer.columns
        least = LEAST_DAMPING * max(mean_diagonal.max(), LEAST_DAMPING)  # for groups whose inputs are silent
        added = np.maximum(damping * mean_diagonal, least)[:, None, None]
        weight = self.grouped_weight.astype(np.float64)
        return self.gram + added * np.eye(self.layer.columns), product(weight, self.cross) + added * weight

    def of_rows(self, rows: np.ndarray | slice) -> "Evidence":
        """Of some rows of a layer without groups, or of all rows, each by itself; without halves."""
        weight, counts = self.weight[rows], None if self.row_factor is None else diagonal(self.row_factor)[rows]
        return replace(self, layer=replace(self.layer, rows=len(weight)), weight=weight, row_factor=counts, halves=None)

    def misfit(self, weight: np.ndarray) -> float:
        """mean |W x_dense - V x_pruned|^2 of new weights V [rows, columns], rows weighed and summed, less what no V can change: W S W'."""
        new = weight.reshape(self.grouped_weight.shape).astype(np.float64)
        return self._summed((product(new, self.gram) - 2 * product(self.grouped_weight.astype(np.float64), self.cross)) * new)

    def energy(self, weight: np.ndarray) -> float:
        """mean |V x_pruned|^2 of weights [rows, columns], rows weighed and summed; never zero."""
        grouped = weight.reshape(self.grouped_weight.shape).astype(np.float32)
        return max(self._summed(product(grouped, self.gram.astype(np.float32)) * grouped), float(np.finfo(np.float32).tiny))

    def _summed(self, terms: np.ndarray) -> float:
        """terms: [groups, rows of a group, columns]"""
        return float(terms.sum(axis=2, dtype=np.float64).reshape(-1) @ self.row_weight[:, 0])

    def relative_error(self, weight: np.ndarray) -> float:
        """mean |W x - V x|^2 / mean |W x|^2 of new weights V [rows, columns] on the same inputs."""
        return self.energy(self.weight - weight) / self.energy(self.weight)

    def bias_shift(self, weight: np.ndarray) -> np.ndarray:
        """What new weights [rows, columns] ask the bias to add, so that the mean output stays: float32 [rows]."""
        new = weight.reshape(self.grouped_weight.shape)
        shift = np.einsum("grc,gc->gr", self.grouped_weight, self.mean_dense) - np.einsum("grc,gc->gr", new, self.mean_pruned)
        return shift.reshape(-1).astype(np.float32)
