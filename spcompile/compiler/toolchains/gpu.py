"""NVIDIA GPUs: kernels for tensor cores, dense and 2:4, as CUDA source, PTX, cubin and a TVM library."""

import json
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path

import numpy as np
import onnx_ir as ir

from spcompile.compiler.card import Built, Card, build
from spcompile.compiler.inputs import real_inputs
from spcompile.compiler.toolchains.toolchain import Toolchain
from spcompile.errors import TargetError
from spcompile.ir.layer import Layer
from spcompile.ir.session import Session
from spcompile.lowering.gpu.lower import lower_for_gpu
from spcompile.lowering.gpu.predict import GpuPredictor, takes
from spcompile.lowering.gpu.program import GpuProgram
from spcompile.lowering.gpu.rounded import rounded
from spcompile.patterns import Pattern, parse_patterns
from spcompile.pruning import Calibration
from spcompile.runtime import artifact
from spcompile.runtime.gpu_executor import GpuExecutor, gpu_name, runs_here
from spcompile.runtime.verify import RANDOM_INPUTS, Comparison, inputs_for, worst_difference
from spcompile.targets.gpu import Gpu as Target
from spcompile.verdict import Verdict

DTYPES = {"fp16": "float16", "bf16": "bfloat16"}
LIMITS = {"float16": 2e-2, "bfloat16": 1e-1}  # largest relative difference: every layer rounds to 11 or 8 bits
LAUNCHES = "launches.json"


class Gpu(Toolchain):
    """Planned with the analytic model; compiled without a GPU, run where there is one."""

    target: Target
    dtypes = tuple(DTYPES)
    offered: tuple[Pattern, ...] = tuple(parse_patterns("dense,block8x1,2:4,block16x16,block32x32,block64x64,channel"))

    def __init__(self, target: Target, threads: int, dtype: str | None = None):
        if threads != 1:
            raise TargetError(f"{target.name} is a GPU: --threads {threads} says nothing about it, leave it out")
        if dtype == "bf16" and not target.has_bf16:
            raise TargetError(f"the tensor cores of {target.name} do not take bf16; use --dtype fp16")
        super().__init__(target, threads, dtype)

    @property
    def _half(self) -> str:
        return DTYPES[self.dtype or "fp16"]

    def check(self, model: ir.Model) -> None:
        lower_for_gpu(model, self.target, self._half)

    def predictor(self, model: ir.Model) -> GpuPredictor:
        return GpuPredictor(*lower_for_gpu(model, self.target, self._half), self.target)

    def takes(self, layer: Layer, pattern: Pattern) -> Verdict:
        return takes(layer, pattern, self.target)

    def deployed(self, model: ir.Model, data: Calibration | None) -> ir.Model:
        return rounded(model, self._half)

    def timer(self, model: ir.Model) -> Card:
        return Card(self.target, self._half, model)

    def build(self, model: ir.Model, data: Calibration | None, stage: Path) -> Built:
        return build(model, self.target, self._half, stage)

    def verify(self, built: Built, model: ir.Model, data: Calibration | None, stage: Path, seed: int) -> Comparison | Verdict:
        """Against ONNX Runtime in fp32, on this machine's GPU."""
        if not built.compiled:
            return built.compiled
        if not (here := runs_here(self.target)):
            return Verdict.no(f"the kernels were compiled for {self.target.arch}, not run: {here.reason}")
        feeds, session = inputs_for(built.program, real_inputs(data), seed), Session(model)
        worst = worst_difference(GpuExecutor(built.program, built.library).run, feeds, [session.run(feed) for feed in feeds])
        reference, given = f"ONNX Runtime {version('onnxruntime')} in fp32", len(feeds) - RANDOM_INPUTS
        return Comparison(reference, RANDOM_INPUTS, given, worst, f"{gpu_name()}, {self._half}", LIMITS[self._half])

    def write(self, built: Built, stage: Path) -> None:
        for region, array in built.program.constants.items():
            np.save(stage / f"{region}.npy", array)
        (stage / LAUNCHES).write_text(_launches(built.program))

    def write_manifest(self, built: Built, stage: Path, facts: dict) -> None:
        program = built.program
        tensors = {side: [asdict(tensor) for tensor in getattr(program, side)] for side in ("inputs", "outputs")}
        artifact.seal(stage, self.target, self.threads, {"dtype": program.dtype, "workspace_bytes": 2 * program.workspace_elements, **tensors, **facts})


def _launches(program: GpuProgram) -> str:
    """One launch a line: the kernel's name, thread blocks, threads of each and bytes of shared memory, its arguments (region, number, element), the node and
    layer it comes from, and its counted work. With the cubin and the arrays that is all that a program needs to run the network."""
    lines = [
        json.dumps(
            {
                "kernel": step.kernel.name,
                "grid": step.kernel.grid,
                "threads": step.kernel.threads,
                "shared_bytes": 4 * step.kernel.shared_words,
                "node": step.node,
                "layer": step.layer,
                "arguments": [program.place(argument) for argument in step.arguments],
                "work": asdict(step.kernel.work()),
            }
        )
        for step in program.steps
    ]
    return '{"schema": 1, "launches": [\n ' + ",\n ".join(lines) + "\n]}\n"
