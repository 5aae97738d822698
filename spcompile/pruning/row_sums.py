"""Second moments of the gradients at a layer's rows, estimated from few batches."""

import torch

from spcompile.ir.layer import Layer

MOST_ROWS = 2048  # of a layer whose rows are looked at in pairs: rows^2 numbers


class RowSums:
    """Sums of g g' over the gradients g at all positions of a layer's output; of g^2 alone where there are groups or too many rows."""

    def __init__(self, layer: Layer, paired: bool = True):
        self.paired = paired and layer.groups == 1 and 1 < layer.rows <= MOST_ROWS
        self.total = torch.zeros((layer.rows,) * (1 + self.paired))
        self.batches, self.power = 0, 0.0

    def add(self, gradients: torch.Tensor) -> None:
        """gradients: [positions, rows], of one batch."""
        if not self.paired:
            self.total += gradients.square().sum(0)
            return
        moments = gradients.mT @ gradients
        self.batches += 1
        self.power += _power_between_rows(moments)
        self.total += moments

    def estimate(self) -> torch.Tensor:
        """float32 [rows, rows], or [rows] where nothing is known of pairs.

        What lies off the diagonal is shrunk by the share of its power that is chance, as batches differ.

        Ledoit and Wolf 2004, "A well-conditioned estimator for large-dimensional covariance matrices", with Schaefer and Strimmer's target of 2005
        ("A shrinkage approach to large-scale covariance matrix estimation", target D), the diagonal as it is: positive semidefinite again.
        """
        if not self.paired:
            return self.total
        agreed = _power_between_rows(self.total)
        chance = (self.power * self.batches / agreed - 1) / (self.batches - 1) if self.batches > 1 and agreed else 1.0
        if chance >= 1:
            return self.total.diagonal().clone()
        diagonal = torch.diag(self.total.diagonal())
        return diagonal + (1 - max(chance, 0.0)) * (self.total - diagonal)


def _power_between_rows(moments: torch.Tensor) -> float:
    """Sum of squares off the diagonal."""
    return float(moments.double().square().sum() - moments.diagonal().double().square().sum())
