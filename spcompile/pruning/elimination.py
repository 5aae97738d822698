"""One column after another is removed from many small least-squares problems at once; the columns left take the blame, exactly."""

import numpy as np
import torch

from spcompile.pruning.algebra import inverse

WORKSPACE_BYTES = 128e6  # of the inverses of one batch of problems
LAZY = 32  # removals that are folded into the inverses together, as one product of matrices
SHRINK = 0.8  # problems are cut to the columns left when these are at most such a share


class Elimination:
    """Weights w [problems, rows, columns], each problem's near the optimum of (v - w) A (v - w)', and B = inv(A); one column of each goes at a time.

    Removing column p (Hassibi and Stork 1992, "Optimal Brain Surgeon", equation 5; Frantar and Alistarh 2022, arXiv:2208.11580, lemma 1):
        harm w_p^2 / B_pp,   w -= (w_p / B_pp) B_p,   B -= B_p B_p' / B_pp
    The last is a rank-one change of a whole matrix for every removal, bound by memory: the newest ones are kept as vectors u = B_p / sqrt(B_pp).
    A place is an index into the columns that are still held, `columns` their numbers.
    """

    def __init__(self, inverses: torch.Tensor, weight: torch.Tensor):
        """inverses: [problems, columns, columns], overwritten. weight: [problems, rows, columns], overwritten."""
        self.inverses, self.weight, self.every = inverses, weight, torch.arange(len(inverses))
        self.columns = torch.arange(weight.shape[-1]).repeat(len(weight), 1)
        self._restart()

    def harms(self) -> torch.Tensor:
        """What removing each place next would cost, [problems, places]; infinite where it is gone already."""
        return ((self.weight**2).sum(1) / self.diagonal).masked_fill(~self.there, torch.inf)

    def remove(self, place: torch.Tensor) -> None:
        """One of each problem: int64 [problems]."""
        row = self.inverses[self.every, place]
        if self.held:
            row = row - torch.einsum("pk,pkc->pc", self.recent[self.every, : self.held, place], self.recent[:, : self.held])
        row *= self.there
        pivot = row[self.every, place].clamp_min(torch.finfo(row.dtype).tiny)[:, None]
        share = self.weight[self.every, :, place] / pivot
        self.weight -= share[:, :, None] * row[:, None]
        self.there[self.every, place] = False
        self.weight *= self.there[:, None]
        self._keep(row / pivot.sqrt())

    def _keep(self, vector: torch.Tensor) -> None:
        self.diagonal = (self.diagonal - vector**2).clamp_min(torch.finfo(vector.dtype).tiny)
        self.recent[:, self.held] = vector
        self.held += 1
        if self.held == LAZY:
            self.inverses.baddbmm_(self.recent.mT, self.recent, alpha=-1)
            self.held = 0
            if self.there[0].sum() <= SHRINK * self.there.shape[1]:
                self._cut()

    def _cut(self) -> None:
        """Every problem has lost as many columns as the others, so what is left is as large."""
        left = self.there.nonzero()[:, 1].reshape(len(self.there), -1)
        self.inverses = torch.stack([matrix[there][:, there] for matrix, there in zip(self.inverses, left, strict=True)])
        self.weight = self.weight.gather(2, left[:, None].expand(-1, self.weight.shape[1], -1))
        self.columns = self.columns.gather(1, left)
        self._restart()

    def _restart(self) -> None:
        self.diagonal = torch.diagonal(self.inverses, dim1=1, dim2=2).clone()
        self.there = torch.ones_like(self.columns, dtype=torch.bool)
        self.recent, self.held = self.weight.new_zeros(len(self.weight), LAZY, self.columns.shape[1]), 0


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
        closed = allowed.gather(1, problem.columns // pool) == 0
        costs = problem.harms()
        costs = costs.masked_fill(dead.gather(1, problem.columns) & costs.isfinite(), -1.0).masked_fill(closed, torch.inf)
        harm, place = costs.min(dim=1)
        column = problem.columns[problem.every, place]
        problem.remove(place)
        allowed[problem.every, column // pool] -= 1
        order.append(column)
        harms.append(harm)
    return torch.stack(order, 1), torch.stack(harms, 1)
