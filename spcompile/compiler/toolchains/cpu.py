"""CPUs: one native library, through TVM."""

from pathlib import Path

import onnx_ir as ir

from spcompile.compiler.building import Built, Host, build
from spcompile.compiler.inputs import real_inputs
from spcompile.compiler.toolchains.toolchain import Toolchain
from spcompile.errors import TargetError
from spcompile.lowering.lower import lower
from spcompile.lowering.predict import Predictor
from spcompile.lowering.refusals import check_operators
from spcompile.pruning import Calibration
from spcompile.report.numbers import plural
from spcompile.runtime import artifact
from spcompile.runtime.verify import Comparison, verify
from spcompile.targets.target import Target
from spcompile.verdict import Verdict


class Cpu(Toolchain):
    """Lowered to kernels, compiled, run on this host or in the emulator."""

    target: Target

    def __init__(self, target: Target, threads: int, dtype: str | None = None):
        if threads > target.cores:
            more = "" if target.name == "host" else ", or a device file of your own that has more"
            raise TargetError(f"{target.name} has {plural(target.cores, 'core')}, --threads asks for {threads:,}; give at most {target.cores}{more}")
        super().__init__(target, threads, dtype)

    def check(self, model: ir.Model) -> None:
        check_operators(model)

    def predictor(self, model: ir.Model) -> Predictor:
        return Predictor(lower(model, self.target, self.threads), self.target, self.threads)

    def timer(self, model: ir.Model) -> Host:
        return Host(self.target, self.threads, model)

    def build(self, model: ir.Model, data: Calibration | None, stage: Path) -> Built:
        return build(model, self.target, self.threads, stage / artifact.LIBRARY)

    def verify(self, built: Built, model: ir.Model, data: Calibration | None, stage: Path, seed: int) -> Comparison | Verdict:
        return verify(built.program, built.library, model, self.target, self.threads, real_inputs(data), seed)

    def write(self, built: Built, stage: Path) -> None:
        artifact.write_program(stage, built.program)

    def write_manifest(self, built: Built, stage: Path, facts: dict) -> None:
        artifact.write_manifest(stage, built.program, self.target, self.threads, facts)
