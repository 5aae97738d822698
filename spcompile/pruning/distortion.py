"""How far a network's outputs have moved."""

from collections.abc import Iterable, Mapping

import numpy as np

Outputs = Mapping[str, np.ndarray]  # name -> [samples, ...]


def distortion(batches: Iterable[tuple[Outputs, Outputs]]) -> float:
    """Squared error of the second outputs relative to how much the first ones of different samples differ from each other; the mean over the outputs."""
    found: dict[str, _Sums] = {}
    for dense, moved in batches:
        for name, array in dense.items():
            found.setdefault(name, _Sums()).add(array.astype(np.float64), moved[name])
    return float(np.mean([sums.ratio for sums in found.values()]))


class _Sums:
    """Of one output over all batches, none of which is kept."""

    def __init__(self):
        self.lost, self.squares, self.total, self.count = 0.0, 0.0, 0.0, 0

    def add(self, dense: np.ndarray, moved: np.ndarray) -> None:
        known = np.isfinite(dense)  # where a mask makes an output infinite, it stays so whatever is pruned
        dense, moved = np.where(known, dense, 0), np.where(known, moved, 0)
        self.lost += ((moved - dense) ** 2).sum()
        self.squares += (dense**2).sum()
        self.total, self.count = self.total + dense.sum(axis=0), self.count + len(dense)

    @property
    def ratio(self) -> float:
        varied = self.squares - (self.total**2).sum() / self.count
        return self.lost / max(varied, 1e-30)
