"""FPGA-like accelerators: int8 or bf16 numbers, packed weights and a schedule, simulated."""

from dataclasses import dataclass
from importlib.metadata import version
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import onnx_ir as ir

from spcompile.accelerator.export import export
from spcompile.accelerator.host import HostOperators
from spcompile.accelerator.partition import ARRAY, DEPTHWISE, HOST, partition
from spcompile.accelerator.predictor import Predictor
from spcompile.accelerator.quantised import Quantised, quantise
from spcompile.accelerator.reference import reference
from spcompile.accelerator.simulator import Simulator, StepCycles
from spcompile.accelerator.verilog import array_source, generates, shape_of
from spcompile.compiler.toolchains.toolchain import NotMeasured, Toolchain
from spcompile.costs.fpga.resources import estimate
from spcompile.costs.latency import Latency
from spcompile.errors import TargetError
from spcompile.ir.batches import batches, input_shapes
from spcompile.ir.constants import constant
from spcompile.ir.save import save
from spcompile.ir.session import Session
from spcompile.lowering.refusals import check_operators
from spcompile.patterns import Pattern
from spcompile.pruning import Calibration
from spcompile.pruning.calibration import random_calibration
from spcompile.report.accelerator_facts import AcceleratorFacts, AcceleratorStep
from spcompile.runtime import artifact
from spcompile.runtime.verify import RANDOM_INPUTS, REAL_INPUTS, Comparison, worst_difference
from spcompile.targets.accelerator import Accelerator
from spcompile.verdict import Verdict

REFERENCE = "quantised.onnx"


@dataclass(frozen=True, eq=False)
class Built:
    """What was exported, and the simulator that has read it."""

    network: Quantised
    reference: ir.Model
    simulator: Simulator
    cycles: tuple[StepCycles, ...]


class Fpga(Toolchain):
    """The array runs what it can; the rest runs on its host, at the cost that the device file states."""

    target: Accelerator

    def __init__(self, target: Accelerator, threads: int, dtype: str | None = None):
        if threads != 1:
            raise TargetError(f"{target.name} is one array: --threads {threads} says nothing about it, leave it out")
        super().__init__(target, threads, dtype)

    @property
    def without_data(self) -> str:
        """bf16 has no ranges to choose."""
        return "; the ranges of whole numbers were taken from random inputs, which are nothing like real ones" if self.target.precision == "int8" else ""

    @property
    def offered(self) -> tuple[Pattern, ...]:
        return self.target.patterns

    def check(self, model: ir.Model) -> None:
        check_operators(model)  # the host's operators are those of a CPU
        if all(step.unit not in (ARRAY, DEPTHWISE) for step in partition(model, self.target)):
            raise TargetError(f"{self.target.name} can run no layer of this model: it has none with constant weights, or every one exceeds its buffers")

    def predictor(self, model: ir.Model) -> Predictor:
        return Predictor(model, self.target)

    def timer(self, model: ir.Model) -> NotMeasured:
        verdict = Verdict.no(f"{self.target.name} is not attached to this machine: its time is counted by the simulator, nobody measured it")
        return NotMeasured(verdict)

    def deployed(self, model: ir.Model, data: Calibration | None) -> ir.Model:
        return reference(self._quantised(model, data))

    def build(self, model: ir.Model, data: Calibration | None, stage: Path) -> Built:
        network = self._quantised(model, data)
        export(network, self.target, stage)
        simulator = Simulator(stage, self.target)
        return Built(network, reference(network), simulator, simulator.cycles())

    def verify(self, built: Built, model: ir.Model, data: Calibration | None, stage: Path, seed: int) -> Comparison:
        """The simulator, fed from the exported files, against ONNX Runtime on the quantised network: equal to the bit, or the difference is told."""
        shapes = input_shapes(model)
        random = list(batches(random_calibration(model, seed, RANDOM_INPUTS).feeds, shapes))
        real = list(islice(batches(data.feeds, shapes), REAL_INPUTS)) if data else []
        feeds = [*random, *real]
        computed = [value.name for value in built.reference.graph.outputs if constant(value) is None]  # constants are nobody's work
        session, host = Session(built.reference, computed), HostOperators(model)
        expected = [session.run(feed) for feed in feeds]

        def run(feed: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
            values = built.simulator.numbers(feed, host)
            return {name: built.simulator.real(name, values[name]) for name in computed}

        worst = worst_difference(run, feeds, expected)
        engine = f"ONNX Runtime {version('onnxruntime')} on the {self.target.precision} network"
        return Comparison(engine, len(random), len(real), worst, "the accelerator's simulator")

    def facts(self, built: Built) -> dict[str, Any]:
        return {"accelerator": _facts(built, self.target)}

    def write(self, built: Built, stage: Path) -> None:
        """The network in the accelerator's numbers, and the array itself for each packing of weights that is in it, where such arrays are generated."""
        save(built.reference, stage / REFERENCE)
        works = [step.work for step in built.simulator.schedule.steps if step.unit == ARRAY]
        packings = {(slots, work.of) for work in works for slots in work.slots if slots <= self.target.array_lanes}
        for kept, of in sorted(packings) if generates(self.target) else ():
            (stage / f"array-{kept}of{of}.v").write_text(array_source(shape_of(self.target, kept, of)))

    def write_manifest(self, built: Built, stage: Path, facts: dict) -> None:
        artifact.seal(stage, self.target, self.threads, facts)

    def _quantised(self, model: ir.Model, data: Calibration | None) -> Quantised:
        return quantise(model, (data or random_calibration(model)).feeds, self.target)


def _facts(built: Built, target: Accelerator) -> AcceleratorFacts:
    entries = {step.name: step for step in built.simulator.schedule.steps}
    found = []
    for step, timed in zip(built.network.steps, built.cycles, strict=True):
        kept = int(np.count_nonzero(built.network.weights[step.name].matrix)) * step.layer.positions if step.name in built.network.weights else 0
        found.append(
            AcceleratorStep(
                step.name, step.op_type, step.unit, timed.cycles, timed.array_cycles, timed.waited_cycles, timed.moved_bytes, timed.seconds, step.macs, kept,
                _packing(entries[step.name]), step.why if step.unit == HOST else "",
            )
        )  # fmt: skip
    seconds = target.host_call_s + sum(timed.seconds for timed in built.cycles)
    needed = estimate(target)
    resources = {"dsps": needed.dsps, "luts": needed.luts, "block_ram_bytes": needed.block_ram_bytes}
    available = {"dsps_available": target.dsps, "luts_available": target.luts, "block_ram_bytes_available": target.block_ram_bytes}
    rates = {"macs_per_cycle": target.macs_per_cycle, "clock_hz": target.clock_hz, "memory_bytes_per_second": target.memory_bytes_per_second}
    return AcceleratorFacts(tuple(found), Latency(seconds, seconds, seconds, "simulated"), target.host_call_s, **rates, **resources, **available)


def _packing(entry) -> str:
    """How a step's weights lie: "2 of 8", "3 to 5 of 32", "dense"."""
    if entry.work is None or entry.unit != ARRAY:
        return ""
    low, high = min(entry.work.slots), max(entry.work.slots)
    return "dense" if entry.work.of == 1 else f"{low if low == high else f'{low} to {high}'} of {entry.work.of}"
