"""A network as launches on a GPU: 16-bit activations in one workspace, constants by type."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from spcompile.kernels.gpu.kernel import GpuKernel
from spcompile.lowering.program import Argument, Buffer, Step, Tensor

CONSTANTS = {"values": "", "numbers": "float32", "words": "uint32"}  # region -> dtype; values have the program's own


@dataclass(frozen=True, eq=False)
class GpuProgram:
    """Launches in order (`steps`, of GpuKernels) over `buffers`; `starts` places each of workspace and constants in its region, in elements.

    constants: region -> array; "values" in `dtype`, as raw uint16.
    """

    dtype: str  # "float16" or "bfloat16"
    steps: tuple[Step, ...]
    buffers: tuple[Buffer, ...]
    starts: dict[int, int]
    workspace_elements: int
    constants: dict[str, np.ndarray]
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]

    @property
    def bytes(self) -> int:
        """Constants and workspace: what the network keeps in memory."""
        return sum(array.nbytes for array in self.constants.values()) + 2 * self.workspace_elements

    @property
    def kernels(self) -> Iterator[GpuKernel]:
        """Each different kernel once."""
        return iter({step.kernel.name: step.kernel for step in self.steps}.values())

    def place(self, argument: Argument) -> tuple[str, int, int]:
        """-> (region, number of the input or output, element)."""
        buffer = self.buffers[argument.buffer]
        start = 0 if buffer.kind in ("input", "output") else self.starts[argument.buffer]
        return buffer.kind, buffer.index, start + argument.offset
