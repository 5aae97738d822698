"""What a sparsity pattern promises: which weights may be zero."""

from abc import ABC, abstractmethod

import numpy as np

from spcompile.ir.layer import Layer
from spcompile.patterns.partition import Partition
from spcompile.verdict import Verdict

LEVELS = (0.3, 0.4, 0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95)  # sparse kernels start to pay near the first; harm grows fastest near the last
NOMINAL = 0.005  # a level is offered under its round number while the true share of zeros is this close


class Pattern(ABC):
    """Which weights of a layer's matrix [rows, columns] may be zero. Subclasses are frozen dataclasses; equal notation, equal pattern.

    A new pattern states its notation, its unit and pool (see `Partition`) and whom it fits; masks and checks follow.
    """

    @property
    @abstractmethod
    def notation(self) -> str:
        """As a user writes it: "unstructured", "block4x1", "2:4". `patterns.parse` is the inverse."""

    @property
    def block_rows(self) -> int:
        """Neighbouring rows that keep the same columns; a kernel may share one offset list among them."""
        return 1

    @property
    def group(self) -> tuple[int, int] | None:
        """(N, M) where every row keeps about N of every M neighbouring columns: in-channels that want different rows are the better neighbours there."""
        return None

    @property
    def fixed_sparsity(self) -> float | None:
        """The one level of a pattern that has only one (dense, N:M), else None."""
        return None

    @property
    def levels(self) -> tuple[float, ...]:
        """Shares of zeros worth trying, ascending, before a layer's size is known."""
        return LEVELS if self.fixed_sparsity is None else (self.fixed_sparsity,)

    @abstractmethod
    def unit(self, shape: tuple[int, int]) -> tuple[int, int]:
        """(rows, columns) of the weights that live or die together in a matrix of this shape."""

    def pool(self, shape: tuple[int, int]) -> tuple[int, int]:
        """(rows, columns) of the region in which a fixed number of units is dropped: the whole matrix unless the pattern says less."""
        return shape if self.group is None else (1, self.group[1])

    @abstractmethod
    def holds(self, layer: Layer) -> Verdict:
        """`fits` for a layer that is not depthwise."""

    def fits(self, layer: Layer) -> Verdict:
        """Can this layer's matrix hold the pattern? The reason names the numbers that do not divide."""
        if layer.depthwise:
            return Verdict.no(f"depthwise: {layer.columns} weights a channel, its time goes into moving activations, which zeros do not spare")
        return self.holds(layer)

    def partition(self, shape: tuple[int, int], sparsity: float) -> Partition:
        """Units, pools and how many units go, for a matrix (rows, columns). At least one unit of the matrix always stays."""
        assert 0 <= sparsity < 1, sparsity
        assert self.fixed_sparsity in (None, sparsity), f"{self.notation} has one level, {self.fixed_sparsity}, not {sparsity}"
        unit, pool = self.unit(shape), self.pool(shape)
        units = pool[0] * pool[1] // (unit[0] * unit[1])
        return Partition(shape, unit, pool, min(round(sparsity * units), units - 1))

    def share(self, layer: Layer, level: float) -> float:
        """The share of zeros that one of `levels` comes to in this layer: a round number while one is close, else exact."""
        partition = self.partition((layer.rows, layer.columns), level)
        exact = partition.drop * partition.pools / partition.units
        nearest = min(self.levels, key=lambda offered: abs(offered - exact))
        return nearest if abs(nearest - exact) <= NOMINAL else exact

    def sparsities(self, layer: Layer) -> tuple[float, ...]:
        """Shares of zeros on offer to the search for this layer, ascending; one level for N:M. Small layers offer fewer."""
        return tuple(sorted({self.share(layer, level) for level in self.levels} - {0.0})) or (0.0,)

    def present(self, matrix: np.ndarray) -> float:
        """The share of zeros that a matrix [rows, columns] has in this pattern already: zero units of the pool with fewest, at most all but one."""
        assert self.fixed_sparsity is None, self.notation
        partition = self.partition(matrix.shape, 0.0)
        zero = int((partition.totals((matrix != 0).astype(np.int32)) == 0).sum(axis=1).min())
        return min(zero, partition.units_per_pool - 1) / partition.units_per_pool

    def mask(self, saliency: np.ndarray, sparsity: float) -> np.ndarray:
        """saliency [rows, columns] -> bool [rows, columns], True keeps: the most salient mask of this pattern at this sparsity."""
        return self.partition(saliency.shape, sparsity).keep_best(saliency)

    def check(self, mask: np.ndarray) -> Verdict:
        """Does a mask [rows, columns] obey the pattern? More zeros than asked are welcome, but never all."""
        tiled = Partition.tiles(mask.shape, self.unit(mask.shape), self.pool(mask.shape))
        if not tiled:
            return tiled
        if not mask.any():
            return Verdict.no("the mask keeps nothing: the layer would be gone")
        return self.partition(mask.shape, self.fixed_sparsity or 0.0).check(mask)
