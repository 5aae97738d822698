"""The face every kernel shows: a value that names itself, counts its work and emits its code."""

import zlib
from abc import ABC, abstractmethod

from spcompile.kernels.work import Work


class Kernel(ABC):
    """Subclasses are frozen dataclasses. Kernels with equal names share one compiled function."""

    @property
    @abstractmethod
    def title(self) -> str:
        """A C identifier for people: dtype, operation, pattern, tile, shape."""

    @property
    @abstractmethod
    def code(self) -> tuple:
        """Everything the emitted code depends on. Counts of non-zeros are data and stay out."""

    @property
    def name(self) -> str:
        """The title with a digest of the code, the same in every process."""
        return f"{self.title}_{zlib.crc32(repr((type(self).__name__, self.code)).encode()):08x}"

    @abstractmethod
    def emit(self, threads: int):
        """-> a private `tvm.tirx.PrimFunc` taking pointers and returning int32 0."""

    @abstractmethod
    def work(self) -> Work:
        """Counted work of one call."""
