"""Kernels called from Python: several in one library, on arrays that the test lays out itself."""

import numpy as np
import pytest

from spcompile.lowering.program import Argument, Buffer, Program, Step, Tensor
from spcompile.runtime.build import ENTRY, build_library
from spcompile.targets import load_target


@pytest.fixture(scope="session", params=["x86-avx2", pytest.param("x86-avx512", marks=pytest.mark.needs_avx512)])
def target(request):
    """A device whose code this machine runs."""
    return load_target(request.param)


@pytest.fixture(scope="session")
def call_kernels(tmp_path_factory):
    """call_kernels([(kernel, [array, (array, offset), ...]), ...], target, threads) -> for each call its flat arrays, as they are afterwards."""

    def call_kernels(calls, target, threads: int = 1) -> list[list[np.ndarray]]:
        import tvm

        pairs = [[pointer if isinstance(pointer, tuple) else (pointer, 0) for pointer in pointers] for _, pointers in calls]
        arrays = {id(array): array.ravel() for pointers in pairs for array, _ in pointers}
        place = {key: index for index, key in enumerate(arrays)}
        program = Program(
            steps=tuple(
                Step(kernel, tuple(Argument(place[id(array)], offset) for array, offset in pointers), "")
                for (kernel, _), pointers in zip(calls, pairs, strict=True)
            ),
            buffers=tuple(Buffer("input", array.size, array.dtype.name, index) for index, array in enumerate(arrays.values())),
            starts={},
            workspace_elements=0,
            values=np.zeros(1, np.float32),
            indices=np.zeros(1, np.int32),
            inputs=tuple(Tensor(f"array_{index}", array.shape, array.dtype.name) for index, array in enumerate(arrays.values())),
            outputs=(),
        )
        library = tmp_path_factory.mktemp("kernels") / "kernels.so"
        build_library(program, target, threads, library)
        memory = [tvm.runtime.tensor(array) for array in (np.zeros(1, np.float32), program.values, program.indices, *arrays.values())]
        tvm.runtime.load_module(str(library))[ENTRY](*memory)
        after = {key: tensor.numpy() for key, tensor in zip(arrays, memory[3:], strict=True)}
        return [[after[id(array)] for array, _ in pointers] for pointers in pairs]

    return call_kernels
