"""A network as kernel calls: what a compiler builds and a cost model sums."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from spcompile.kernels.kernel import Kernel

ALIGNMENT = 16  # elements: one cache line of fp32


@dataclass(frozen=True)
class Buffer:
    """Memory of its own. kind: "workspace" (reused between steps), "values" or "indices" (constants), "input" or "output" number `index`."""

    kind: str
    elements: int
    dtype: str = "float32"
    index: int = 0


@dataclass(frozen=True)
class Argument:
    """A pointer: element `offset` of a buffer."""

    buffer: int
    offset: int = 0


@dataclass(frozen=True)
class Step:
    """One kernel call. `layer`: the prunable layer it computes, if any; `node`: where in the model it comes from."""

    kernel: Kernel
    arguments: tuple[Argument, ...]
    node: str
    layer: str | None = None


@dataclass(frozen=True)
class Tensor:
    """An input or output as the caller sees it: contiguous."""

    name: str
    shape: tuple[int, ...]
    dtype: str


@dataclass(frozen=True, eq=False)
class Program:
    """Steps in order, over `buffers`; `starts` places each workspace or constant buffer in its region, in elements."""

    steps: tuple[Step, ...]
    buffers: tuple[Buffer, ...]
    starts: dict[int, int]
    workspace_elements: int
    values: np.ndarray  # float32, all constants
    indices: np.ndarray  # int32, all offset lists
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]

    @property
    def bytes(self) -> int:
        """Constants and workspace: what the network keeps in memory."""
        return self.values.nbytes + self.indices.nbytes + 4 * self.workspace_elements

    @property
    def kernels(self) -> Iterator[Kernel]:
        """Each different kernel once."""
        return iter({step.kernel.name: step.kernel for step in self.steps}.values())
