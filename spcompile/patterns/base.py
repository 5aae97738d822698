"""What a sparsity pattern promises: which weights may be zero."""

from abc import ABC, abstractmethod

import numpy as np

from spcompile.ir.layer import Layer
from spcompile.verdict import Verdict


class Pattern(ABC):
    """Which weights of a layer's matrix [rows, columns] may be zero. Subclasses are frozen dataclasses; equal notation, equal pattern."""

    @property
    @abstractmethod
    def notation(self) -> str:
        """As a user writes it: "unstructured", "block4x1", "2:4". `patterns.parse` is the inverse."""

    @property
    def block_rows(self) -> int:
        """Neighbouring rows that keep the same columns; a kernel may share one offset list among them."""
        return 1

    @property
    def fixed_sparsity(self) -> float | None:
        """The one level of a pattern that has only one (dense, N:M), else None."""
        return None

    @abstractmethod
    def fits(self, layer: Layer) -> Verdict:
        """Can this layer's matrix hold the pattern? The reason names the numbers that do not divide."""

    @abstractmethod
    def sparsities(self, layer: Layer) -> tuple[float, ...]:
        """Shares of zeros on offer to the search for this layer, ascending; one level for N:M."""

    @abstractmethod
    def mask(self, saliency: np.ndarray, sparsity: float) -> np.ndarray:
        """saliency [rows, columns] -> bool [rows, columns], True keeps: the most salient mask of this pattern at this sparsity."""

    @abstractmethod
    def check(self, mask: np.ndarray) -> Verdict:
        """Does a mask [rows, columns] obey the pattern?"""
