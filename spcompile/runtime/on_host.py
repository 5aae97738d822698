"""A program's library on this host as calls of its single kernels, for timing each in its place."""

import ctypes
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from spcompile.lowering.program import ALIGNMENT, Argument, Program, Step
from spcompile.runtime.build import build_library
from spcompile.runtime.clocked import Clocked
from spcompile.runtime.executor import use_threads
from spcompile.runtime.library import load_library
from spcompile.runtime.verify import random_array
from spcompile.targets.target import Target

LINE_BYTES = 4 * ALIGNMENT


class ProgramOnHost:
    """Built and loaded, with memory for all its buffers."""

    def __init__(self, program: Program, target: Target, threads: int):
        use_threads(threads)
        self.program = program
        self._regions = {
            "workspace": aligned(np.full(max(1, program.workspace_elements), 0.01, np.float32)),
            "values": aligned(program.values),
            "indices": aligned(program.indices),
        }
        random = np.random.default_rng(0)
        self._inputs = [aligned(random_array(tensor, random)) for tensor in program.inputs]
        self._outputs = [aligned(np.zeros(tensor.shape, tensor.dtype).ravel()) for tensor in program.outputs]
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "program.so"
            build_library(program, target, threads, path)
            self._module = load_library(path)  # hands the library what it calls of TVM's runtime
            self._library = ctypes.CDLL(str(path))  # the same one: kernels are plain C functions in it
            self._clocked = Clocked(path, [(step.kernel.name, [self._address(a) for a in step.arguments]) for step in program.steps], target)

    def call(self, step: Step) -> Callable[[], int]:
        """The step's kernel on its own arguments."""
        function = getattr(self._library, step.kernel.name)
        pointers = [ctypes.c_void_p(self._address(argument)) for argument in step.arguments]
        return lambda: function(*pointers)

    def round(self) -> np.ndarray:
        """Seconds of each step, all called once in their order."""
        return self._clocked.round()

    def _address(self, argument: Argument) -> int:
        buffer = self.program.buffers[argument.buffer]
        if buffer.kind in ("input", "output"):
            memory = (self._inputs if buffer.kind == "input" else self._outputs)[buffer.index]
            return memory.ctypes.data + argument.offset * memory.itemsize
        region = self._regions[buffer.kind]
        return region.ctypes.data + (self.program.starts[argument.buffer] + argument.offset) * region.itemsize


def aligned(array: np.ndarray) -> np.ndarray:
    """A copy that starts a cache line, as TVM's own memory does."""
    raw = np.zeros(array.nbytes + 2 * LINE_BYTES, np.uint8)
    begin = -raw.ctypes.data % LINE_BYTES
    copy = raw[begin : begin + array.nbytes].view(array.dtype)
    copy[:] = array.ravel()
    return copy
