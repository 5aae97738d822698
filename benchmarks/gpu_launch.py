"""A GPU program on this machine's card through CuPy: its cubin and its arrays are all it takes, no TVM and no nvcc."""

import math
from collections.abc import Mapping
from pathlib import Path

import cupy
import numpy as np

from spcompile.lowering.gpu.program import GpuProgram

NAN = 0x7FFF  # in both 16-bit types
SMALL = 48 * 1024  # bytes of shared memory that need not be asked for


class Launched:
    """`run` checks a program, `launch` is what is timed. Values of 16 bits are kept as uint16."""

    def __init__(self, program: GpuProgram, cubin: Path):
        self.program, module = program, cupy.RawModule(path=str(cubin))
        self.memory = {("workspace", 0): cupy.zeros(program.workspace_elements, np.uint16)}
        self.memory |= {(region, 0): cupy.asarray(array) for region, array in program.constants.items()}
        self.memory |= {("input", index): cupy.zeros(math.prod(tensor.shape), tensor.dtype) for index, tensor in enumerate(program.inputs)}
        self.memory |= {("output", index): cupy.zeros(math.prod(tensor.shape), tensor.dtype) for index, tensor in enumerate(program.outputs)}
        self.steps = [(step.kernel, self._launch_of(module, step)) for step in program.steps]

    def _launch_of(self, module, step):
        kernel, function, shared = step.kernel, module.get_function(step.kernel.name), 4 * step.kernel.shared_words
        if shared > SMALL:
            function.max_dynamic_shared_size_bytes = shared
        places = (self.program.place(argument) for argument in step.arguments)
        pointers = tuple(np.uintp(self.memory[kind, number].data.ptr + element * self.memory[kind, number].itemsize) for kind, number, element in places)
        return lambda: function(kernel.grid, (kernel.threads,), pointers, shared_mem=shared)

    def run(self, feed: Mapping[str, np.ndarray]) -> list[np.ndarray]:
        """Inputs by name -> outputs; what no kernel writes is NaN."""
        self.memory["workspace", 0].fill(NAN)
        for index, tensor in enumerate(self.program.inputs):
            self.memory["input", index].set(np.ascontiguousarray(feed[tensor.name], tensor.dtype).ravel())
        outputs = [self.memory["output", index] for index in range(len(self.program.outputs))]
        for output in outputs:
            output.fill(np.nan)
        self.launch()
        cupy.cuda.runtime.deviceSynchronize()
        return [output.get().reshape(tensor.shape) for output, tensor in zip(outputs, self.program.outputs, strict=True)]

    def launch(self, kinds: tuple[type, ...] = (object,)) -> None:
        """All steps, or those of some kernels alone, on the stream that CuPy uses; does not wait for them."""
        for kernel, launch in self.steps:
            if isinstance(kernel, kinds):
                launch()
