"""A GPU artifact's library on this machine's GPU: arrays in, arrays out."""

import hashlib
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from weakref import WeakValueDictionary

import ml_dtypes
import numpy as np

from spcompile.lowering.gpu.program import GpuProgram
from spcompile.runtime.build import ENTRY
from spcompile.runtime.gpu_build import CUBIN, SOURCE
from spcompile.runtime.library import load_library
from spcompile.targets.gpu import Gpu
from spcompile.verdict import Verdict

COMPILES = "tvm_callback_cuda_compile"  # TVM's global function: CUDA source -> binary
BINARIES: WeakValueDictionary[bytes, "Binary"] = WeakValueDictionary()  # by digests of their sources; executors hold them


def runs_here(gpu: Gpu) -> Verdict:
    """Has this machine a GPU that takes the target's code? A cubin runs on its own major version, from its minor version on."""
    import tvm

    if not tvm.cuda(0).exist:
        return Verdict.no("this machine has no NVIDIA GPU that TVM sees: it takes the driver and CUDA's runtime library (pip install nvidia-cuda-runtime)")
    major, minor = map(int, str(tvm.cuda(0).compute_version).split("."))
    wanted = divmod(gpu.capability, 10)
    if major != wanted[0] or minor < wanted[1]:
        return Verdict.no(f"this machine's GPU has compute capability {major}.{minor}, the code is made for {wanted[0]}.{wanted[1]}")
    return Verdict.yes()


def gpu_name() -> str:
    """Of this machine's first GPU."""
    import tvm

    return str(tvm.cuda(0).device_name)


class GpuExecutor:
    """Runs one compiled program. Not for several threads at once."""

    def __init__(self, program: GpuProgram, library: Path):
        import tvm

        self.program, self._device = program, tvm.cuda(0)
        self._binary = binary_of(library.parent)
        self._entry = load_library(library)[ENTRY]
        half = np.float16 if program.dtype == "float16" else ml_dtypes.bfloat16
        # NaN first: whatever reads memory that no kernel wrote shows up in the result.
        workspace = np.full(max(program.workspace_elements, 1), np.nan, half)
        constants = [array.view(half) if region == "values" else array for region, array in program.constants.items()]
        self._memory = [tvm.runtime.tensor(array, self._device) for array in (workspace, *_in_order(program, constants))]
        outputs = [np.full(math.prod(tensor.shape) * np.dtype(tensor.dtype).itemsize, 0xFF, np.uint8).view(tensor.dtype) for tensor in program.outputs]
        self._results = [tvm.runtime.tensor(array, self._device) for array in outputs]

    def run(self, feed: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Inputs by name -> outputs by name."""
        self.bind(feed)()
        self.wait()
        return {tensor.name: result.numpy().reshape(tensor.shape) for tensor, result in zip(self.program.outputs, self._results, strict=True)}

    def wait(self) -> None:
        """For everything that was launched."""
        self._device.sync()

    def bind(self, feed: Mapping[str, np.ndarray]) -> Callable[[], object]:
        """-> a function without arguments that launches everything on these inputs and does not wait for it."""
        import tvm

        given = [tvm.runtime.tensor(np.ascontiguousarray(feed[tensor.name]).ravel(), self._device) for tensor in self.program.inputs]
        arguments = [*self._memory, *given, *self._results]
        return lambda: self._entry(*arguments)


def _in_order(program: GpuProgram, constants: list) -> list:
    """As the entry takes them: values, numbers, words."""
    by_region = dict(zip(program.constants, constants, strict=True))
    return [by_region[region] for region in ("values", "numbers", "words")]


@dataclass(frozen=True, eq=False)
class Binary:
    """A cubin, which TVM is given for its source as long as this is held."""

    cubin: bytes


def binary_of(folder: Path) -> Binary:
    """TVM compiles a library's CUDA source when it first launches: it gets the cubin that was made of it already."""
    _answer_from_binaries()
    digest, binary = _digest((folder / SOURCE).read_text()), Binary((folder / CUBIN).read_bytes())
    BINARIES[digest] = binary
    return binary


@cache
def _answer_from_binaries() -> None:
    """In the place of TVM's own compiler, which is asked for all other sources; once a process."""
    import tvm_ffi

    compiler = tvm_ffi.get_global_func(COMPILES)

    def compiled(code: str) -> bytes:
        held = BINARIES.get(_digest(code))
        return compiler(code) if held is None else held.cubin

    tvm_ffi.register_global_func(COMPILES, compiled, override=True)


def _digest(source: str) -> bytes:
    return hashlib.sha256(source.encode()).digest()
