"""One column after another is removed from many small least-squares problems at once; the columns left take the blame, exactly."""

import numpy as np
import torch

from spcompile.pruning.algebra import inverse

WORKSPACE_BYTES = 128e6  # of the inverses of one batch of problems
LAZY = 32  # removals that are folded into the inverses together, as one product of matrices


class Elimination:
    """Problems with the same rule of removal: weights w [problems, rows, columns] near the optimum of (v - w) A (v - w)', and B = inv(A) of each.

    Removing column p (Hassibi and Stork 1992, "Optimal Brain Surgeon", equation 5; Frantar and Alistarh 2022, arXiv:2208.11580, lemma 1):
        harm w_p^2 / B_pp,   w -= (w_p / B_pp) B_p,   B -= B_p B_p' / B_pp
    The last is a rank-one change of a whole matrix for every removal, bound by memory: the newest ones are kept as vectors u = B_p / sqrt(B_pp).
    """

    def __init__(self, inverses: torch.Tensor, weight: torch.Tensor):
        """inverses: [problems, columns, columns], overwritten. weight: [problems, rows, columns], overwritten."""
        self.inverses, self.weight = inverses, weight
        self.diagonal = torch.diagonal(inverses, dim1=1, dim2=2).clone()
        self.there = torch.ones_like(self.diagonal, dtype=torch.bool)
        self.recent = torch.zeros(len(inverses), LAZY, inverses.shape[-1], dtype=inverses.dtype)
        self.every, self.held = torch.arange(len(inverses)), 0

    def harms(self) -> torch.Tensor:
        """What removing each column next would cost, [problems, columns]; meaningless for columns that are gone."""
        return (self.weight**2).sum(1) / self.diagonal

    def remove(self, column: torch.Tensor) -> None:
        """One column of each problem: int64 [problems]."""
        row = self.inverses[self.every, column]
        if self.held:
            row = row - torch.einsum("pk,pkc->pc", self.recent[self.every, : self.held, column], self.recent[:, : self.held])
        row *= self.there
        pivot = row[self.every, column].clamp_min(torch.finfo(row.dtype).tiny)[:, None]
        share = self.weight[self.every, :, column] / pivot
        self.weight -= share[:, :, None] * row[:, None]
        self.there[self.every, column] = False
        self.weight *= self.there[:, None]
        self._keep(row / pivot.sqrt())

    def _keep(self, vector: torch.Tensor) -> None:
        self.diagonal = (self.diagonal - vector**2).clamp_min(torch.finfo(vector.dtype).tiny)
        self.recent[:, self.held] = vector
        self.held += 1
        if self.held == LAZY:
            self.inverses.baddbmm_(self.recent.mT, self.recent, alpha=-1)
            self.held = 0


def trace(gram: np.ndarray, weight: np.ndarray, alive: np.ndarray, pool: int, drop: int) -> tuple[np.ndarray, np.ndarray]:
    """Greedy removal: always the column that costs least, columns of zeros before all others, `drop` of every `pool` neighbouring columns.

    gram: A float64 [groups, columns, columns]; weight: the optimum without a mask, [groups, problems of a group, rows, columns]; alive: bool, alike.
    -> columns in the order of their removal int64 [groups x problems, steps], and the harm that each one added, float32, alike.
    """
    scale = np.sqrt(np.diagonal(gram, axis1=1, axis2=2))  # to a unit diagonal, for the sake of float32
    inverses = torch.from_numpy(inverse(gram / scale[:, None] / scale[:, :, None]).astype(np.float32))
    scaled = torch.from_numpy((weight * scale[:, None, None]).astype(np.float32) * alive).flatten(0, 1)
    dead = torch.from_numpy(~alive.any(axis=2)).flatten(0, 1)
    problems, batch = len(scaled), max(1, int(WORKSPACE_BYTES // (4 * gram.shape[-1] ** 2)))
    group = torch.arange(len(gram)).repeat_interleave(problems // len(gram))
    found = [_greedy(Elimination(inverses[group[part]], scaled[part]), dead[part], pool, drop) for part in torch.arange(problems).split(batch)]
    orders, harms = zip(*found, strict=True)
    return torch.cat(orders).numpy(), torch.cat(harms).numpy()


def _greedy(problem: Elimination, dead: torch.Tensor, pool: int, drop: int) -> tuple[torch.Tensor, torch.Tensor]:
    columns = dead.shape[1]
    allowed = torch.full((len(dead), columns // pool), drop)
    order, harms = [], []
    for _ in range(columns // pool * drop):
        closed = ~problem.there | (allowed == 0).repeat_interleave(pool, dim=1)
        harm, column = problem.harms().masked_fill(dead, -1.0).masked_fill(closed, torch.inf).min(dim=1)
        problem.remove(column)
        allowed[problem.every, column // pool] -= 1
        order.append(column)
        harms.append(harm)
    return torch.stack(order, 1), torch.stack(harms, 1)
