"""Networks compiled for CPUs, and this host as their clock."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import onnx_ir as ir

from spcompile.compiler.clock import Clock
from spcompile.compiler.tuning import tune
from spcompile.lowering.lower import lower
from spcompile.lowering.program import Program
from spcompile.lowering.tuning_store import user_store
from spcompile.progress import Progress
from spcompile.runtime.build import build_library
from spcompile.runtime.executor import Executor
from spcompile.runtime.host import cpu_model, runs_here
from spcompile.runtime.verify import inputs_for
from spcompile.targets.target import Target
from spcompile.verdict import Verdict


@dataclass(frozen=True, eq=False)
class Built:
    """A program and the library it became."""

    program: Program
    library: Path
    threads: int

    def call(self) -> Callable[[], object]:
        return Executor.of_program(self.program, self.library, self.threads).bind(inputs_for(self.program, None, 0)[0])


def build(model: ir.Model, target: Target, threads: int, library: Path) -> Built:
    """Lower a model with the zeros it has, and compile it."""
    program = lower(model, target, threads).program
    build_library(program, target, threads, library)
    return Built(program, library, threads)


class Host(Clock):
    """This machine's CPU."""

    def __init__(self, target: Target, threads: int, model: ir.Model):
        super().__init__(target, model)
        self.threads = threads

    @property
    def verdict(self) -> Verdict:
        refusal = runs_here(self.target.triple, self.target.lanes_fp32)
        return refusal if refusal else Verdict.no(f"latency is predicted, not measured: {refusal.reason}")

    @property
    def is_target(self) -> bool:
        return self.target.name == "host"

    @property
    def machine(self) -> str:
        return cpu_model()

    def tune(self, model: ir.Model, progress: Progress) -> None:
        tune(model, self.target, self.threads, user_store(), progress)

    def built(self, model: ir.Model, folder: Path) -> Built:
        return build(model, self.target, self.threads, folder / "network.so")
