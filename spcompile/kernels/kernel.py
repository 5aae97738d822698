"""The face every kernel shows: a value that names itself, counts its work and emits its code."""

from abc import ABC, abstractmethod

from spcompile.kernels.work import Work


class Kernel(ABC):
    """Subclasses are frozen dataclasses whose fields fix the code completely; equal kernels share one compiled function."""

    @property
    @abstractmethod
    def name(self) -> str:
        """A C identifier that spells dtype, operation, pattern, tile and shape; unique to the code."""

    @abstractmethod
    def emit(self, threads: int):
        """-> a private `tvm.tirx.PrimFunc` taking pointers and returning int32 0."""

    @abstractmethod
    def work(self) -> Work:
        """Counted work of one call."""
