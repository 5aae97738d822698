"""Runs a GPU program in the simulator, launch by launch."""

import ml_dtypes
import numpy as np

from spcompile.lowering.gpu.program import GpuProgram
from tests.kernels.gpu.simulator import launch


def run(program: GpuProgram, feeds: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Workspace and outputs begin as NaN."""
    half = np.float16 if program.dtype == "float16" else ml_dtypes.bfloat16
    memory = {("workspace", 0): np.full(program.workspace_elements, np.nan, half)}
    memory |= {(region, 0): array.view(half) if region == "values" else array for region, array in program.constants.items()}
    memory |= {("input", index): np.ascontiguousarray(feeds[tensor.name]).ravel() for index, tensor in enumerate(program.inputs)}
    memory |= {("output", index): np.full(int(np.prod(tensor.shape)), np.nan, tensor.dtype) for index, tensor in enumerate(program.outputs)}
    for step in program.steps:
        places = [program.place(argument) for argument in step.arguments]
        launch(step.kernel.emit(1), *(memory[kind, number][element:] for kind, number, element in places))
    return {tensor.name: memory["output", index].reshape(tensor.shape) for index, tensor in enumerate(program.outputs)}
