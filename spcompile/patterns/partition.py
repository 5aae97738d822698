"""How a pattern cuts a matrix: pools hold units, a unit lives or dies whole."""

from dataclasses import dataclass

import numpy as np

from spcompile.verdict import Verdict


@dataclass(frozen=True)
class Partition:
    """A matrix `shape` is tiled by pools, a pool by units; `drop` units of every pool become zero. All shapes are (rows, columns).

    pattern       unit            pool            drop
    unstructured  (1, 1)          whole matrix    round(sparsity * units)
    block4x1      (4, 1)          whole matrix    round(sparsity * units)
    channel       (1, columns)    whole matrix    round(sparsity * units)
    2:4           (1, 1)          (1, 4)          2

    What a pruner needs to know:
    - Scores add up within a unit (`totals`). With a squared error that is exact for rows x 1 units: rows do not interact,
      so the harm of removing a unit is the sum of what each of its rows loses.
    - A unit whose columns are 1 dies inside one column, so columns can be settled one after another (SparseGPT,
      Optimal Brain Compression). A unit spanning all columns leaves no survivor in its row to take the blame.
    - To work on some columns only, ask `Pattern.partition` for the partition of the slice, whole pools wide.
    - `full` says which pools have given their share: an iterative pruner takes units one by one from pools that are not full.
    Units and pools are numbered row-major: in [pools, units] arrays, pool p stands in row p, its units in row-major order.
    """

    shape: tuple[int, int]
    unit: tuple[int, int]
    pool: tuple[int, int]
    drop: int  # units of every pool that become zero

    def __post_init__(self):
        assert self.tiles(self.shape, self.unit, self.pool), self
        assert 0 <= self.drop <= self.units_per_pool and self.drop * self.pools < self.units, f"nothing would be left: {self}"

    @staticmethod
    def tiles(shape: tuple[int, int], unit: tuple[int, int], pool: tuple[int, int]) -> Verdict:
        """Do units tile pools, and pools the matrix, without a remainder?"""
        for size, small, large, name in zip(shape, unit, pool, ("rows", "columns"), strict=True):
            for divisor in (large, small):
                if size % divisor:
                    return Verdict.no(f"{size} {name} are not a multiple of {divisor}")
            assert large % small == 0, (unit, pool)
        return Verdict.yes()

    @property
    def pools(self) -> int:
        return self.shape[0] * self.shape[1] // (self.pool[0] * self.pool[1])

    @property
    def units_per_pool(self) -> int:
        return self.pool[0] * self.pool[1] // (self.unit[0] * self.unit[1])

    @property
    def units(self) -> int:
        return self.pools * self.units_per_pool

    @property
    def _tiled(self) -> tuple[int, ...]:
        """Row pools, row units of a pool, rows of a unit, and the same of columns."""
        split = ((size // pool, pool // unit, unit) for size, pool, unit in zip(self.shape, self.pool, self.unit, strict=True))
        return tuple(number for axis in split for number in axis)

    def totals(self, matrix: np.ndarray) -> np.ndarray:
        """[rows, columns] -> [pools, units of a pool]: sums over each unit."""
        assert matrix.shape == self.shape, (matrix.shape, self.shape)
        tiled = matrix.reshape(self._tiled)
        sums = tiled[:, :, 0, :, :, 0] if self.unit == (1, 1) else tiled.sum(axis=(2, 5))
        return sums.transpose(0, 2, 1, 3).reshape(self.pools, self.units_per_pool)

    def spread(self, per_unit: np.ndarray) -> np.ndarray:
        """[pools, units of a pool] -> [rows, columns]: every weight gets its unit's value. Undoes `totals`' numbering."""
        row_pools, row_units, _, column_pools, column_units, _ = self._tiled
        ordered = per_unit.reshape(row_pools, column_pools, row_units, column_units).transpose(0, 2, 1, 3)
        return np.broadcast_to(ordered[:, :, None, :, :, None], self._tiled).reshape(self.shape)

    def keep_best(self, saliency: np.ndarray) -> np.ndarray:
        """saliency [rows, columns] -> bool mask [rows, columns] that drops each pool's `drop` least salient units; of equals, the first."""
        if not self.drop:
            return np.ones(self.shape, bool)
        totals = self.totals(saliency)
        assert not np.isnan(totals).any(), "saliency holds NaN"
        limit = np.partition(totals, self.drop - 1, axis=1)[:, self.drop - 1 : self.drop]
        below, equal = totals < limit, totals == limit
        short = self.drop - below.sum(axis=1, keepdims=True)
        dropped = below | (equal & (np.cumsum(equal, axis=1) <= short))
        return self.spread(~dropped)

    def full(self, mask: np.ndarray) -> np.ndarray:
        """bool mask [rows, columns] -> bool [pools]: pools that already have `drop` or more units wholly zero."""
        return (self.totals(mask.astype(np.int32)) == 0).sum(axis=1) >= self.drop

    def check(self, mask: np.ndarray) -> Verdict:
        """Is every unit whole, and has every pool at least `drop` units zero?"""
        kept = self.totals(mask.astype(np.int32))
        torn = int(((kept != 0) & (kept != self.unit[0] * self.unit[1])).sum())
        if torn:
            return Verdict.no(f"{torn} of {self.units} units of {self.unit[0]}x{self.unit[1]} weights are kept in part")
        crowded = int((~self.full(mask)).sum())
        if crowded:
            return Verdict.no(f"{crowded} of {self.pools} groups of {self.units_per_pool} keep more than {self.units_per_pool - self.drop}")
        return Verdict.yes()
