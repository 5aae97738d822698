"""Networks compiled for GPUs, and this machine's card as their clock."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import onnx_ir as ir

from spcompile.compiler.clock import Clock
from spcompile.lowering.gpu.lower import lower_for_gpu
from spcompile.lowering.gpu.program import GpuProgram
from spcompile.progress import Progress
from spcompile.runtime import artifact
from spcompile.runtime.gpu_build import compile_program, write_compiled
from spcompile.runtime.gpu_executor import GpuExecutor, gpu_name, runs_here
from spcompile.runtime.nvcc import OLDEST, available
from spcompile.runtime.verify import inputs_for
from spcompile.targets.gpu import Gpu
from spcompile.verdict import Verdict

TOO_OLD = "its tensor cores lack the instructions that the kernels use (compute capability 8.0): it is planned for, not compiled for"


@dataclass(frozen=True, eq=False)
class Built:
    """A program, its library, and whether there is a binary of its kernels."""

    program: GpuProgram
    library: Path
    compiled: Verdict

    def call(self) -> Callable[[], object]:
        """All launches, waited for."""
        executor = GpuExecutor(self.program, self.library)
        launch = executor.bind(inputs_for(self.program, None, 0)[0])

        def call() -> None:
            launch()
            executor.wait()

        return call


def build(model: ir.Model, gpu: Gpu, dtype: str, folder: Path) -> Built:
    """Lower a model with the zeros it has, and compile it, as far as the card and this machine allow."""
    program, _ = lower_for_gpu(model, gpu, dtype)
    if gpu.capability >= OLDEST:
        write_compiled(compile_program(program, gpu), folder, artifact.LIBRARY)
    return Built(program, folder / artifact.LIBRARY, compiles(gpu))


def compiles(gpu: Gpu) -> Verdict:
    """Can a binary be made for it here?"""
    return available() if gpu.capability >= OLDEST else Verdict.no(f"{gpu.name} is not compiled for: {TOO_OLD}")


class Card(Clock):
    """This machine's GPU."""

    def __init__(self, target: Gpu, dtype: str, model: ir.Model):
        super().__init__(target, model)
        self.dtype = dtype

    @property
    def verdict(self) -> Verdict:
        here = runs_here(self.target) and compiles(self.target)
        return here if here else Verdict.no(f"latency is predicted, not measured: {here.reason}")

    @property
    def machine(self) -> str:
        return gpu_name()

    def tune(self, model: ir.Model, progress: Progress) -> None:
        """Kernels for GPUs are chosen by prediction alone."""

    def built(self, model: ir.Model, folder: Path) -> Built:
        return build(model, self.target, self.dtype, folder)
