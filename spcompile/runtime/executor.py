"""A loaded library with its weights and workspace: arrays in, arrays out."""

import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from spcompile.errors import DataError
from spcompile.lowering.program import Program, Tensor
from spcompile.runtime.build import ENTRY
from spcompile.runtime.library import load_library


class Executor:
    """Runs one compiled program on a TVM device: this host's CPU, or a board's over RPC. Not for several threads at once."""

    def __init__(self, module, device, inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...], workspace_elements: int, values, indices, threads: int = 1):
        import tvm

        use_threads(threads)
        self.inputs, self.outputs = inputs, outputs
        self._entry = module[ENTRY]
        self._device = device
        # NaN first: whatever reads memory that no kernel wrote shows up in the result.
        workspace = np.full(max(workspace_elements, 1), np.nan, np.float32)
        self._memory = [tvm.runtime.tensor(array, device) for array in (workspace, values, indices)]
        self._results = [tvm.runtime.empty(tensor.shape or (1,), tensor.dtype, device) for tensor in outputs]

    @classmethod
    def of_program(cls, program: Program, library: str | Path, threads: int = 1) -> "Executor":
        """On this host."""
        import tvm

        return cls(load_library(library), tvm.cpu(), program.inputs, program.outputs, program.workspace_elements, program.values, program.indices, threads)

    def run(self, *arrays: np.ndarray, **named: np.ndarray) -> dict[str, np.ndarray]:
        """Inputs in order or by name -> outputs by name."""
        call = self.bind(self._ordered(arrays, named))
        call()
        return {tensor.name: result.numpy().reshape(tensor.shape) for tensor, result in zip(self.outputs, self._results, strict=True)}

    def bind(self, arrays: Mapping[str, np.ndarray]):
        """-> a function without arguments that runs on these inputs; what is timed."""
        import tvm

        given = [tvm.runtime.tensor(self._checked(tensor, arrays[tensor.name]), self._device) for tensor in self.inputs]
        arguments = [*self._memory, *given, *self._results]
        return lambda: self._entry(*arguments)

    def _ordered(self, arrays: tuple, named: dict) -> dict[str, np.ndarray]:
        names = [tensor.name for tensor in self.inputs]
        if len(arrays) > len(names):
            raise DataError(f"{len(arrays)} inputs given; the model takes {len(names)}: {', '.join(names)}")
        if twice := [name for name in names[: len(arrays)] if name in named]:
            raise DataError(f"input {', '.join(twice)} is given twice, by place and by name")
        given = dict(zip(names, arrays, strict=False)) | named
        if missing := [name for name in names if name not in given]:
            raise DataError(f"input {', '.join(missing)} is missing; the model takes {', '.join(names)}")
        if unknown := [name for name in given if name not in names]:
            raise DataError(f"unknown input {', '.join(unknown)}; the model takes {', '.join(names)}")
        return given

    @staticmethod
    def _checked(tensor: Tensor, array: np.ndarray) -> np.ndarray:
        array = np.asarray(array)
        if array.shape != tensor.shape:
            raise DataError(f"input '{tensor.name}' has shape {list(array.shape)}; the compiled model takes {list(tensor.shape)}")
        if array.dtype != tensor.dtype:
            raise DataError(f"input '{tensor.name}' has type {array.dtype}; the compiled model takes {tensor.dtype}")
        return np.ascontiguousarray(array.reshape(tensor.shape or (1,)))


def use_threads(count: int) -> None:
    """Before a library's first parallel call: then TVM's pool is made, with half as many workers as there are cores unless this variable says otherwise."""
    known = os.environ.get("TVM_NUM_THREADS", "")
    if count > 1:
        os.environ["TVM_NUM_THREADS"] = str(max(count, int(known) if known.isdigit() else 0))
