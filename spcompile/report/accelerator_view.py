"""What the simulator of an FPGA-like target counted, as lines and rows: the same for terminal and page."""

from dataclasses import dataclass

from spcompile.report.accelerator_facts import AcceleratorFacts, AcceleratorStep
from spcompile.report.numbers import count, milliseconds, percent, plural


@dataclass(frozen=True)
class StepRow:
    """One step as a line of a table; utilisation: kept multiplications of the step over those of the array in its time, None beside the array."""

    number: int
    name: str
    unit: str
    packing: str
    latency_s: float
    cycles: int
    utilisation: float | None
    bound: str  # what the step waits for: "array", "memory", "start" or ""
    why: str


def step_rows(facts: AcceleratorFacts) -> tuple[StepRow, ...]:
    """Of every step that takes time."""
    timed = [step for step in facts.steps if step.latency_s > 0]
    return tuple(
        StepRow(number, step.name, step.unit, step.packing, step.latency_s, step.cycles, _utilisation(facts, step), _bound(step), step.why)
        for number, step in enumerate(timed, 1)
    )


def summary(facts: AcceleratorFacts) -> tuple[str, ...]:
    """Sentences for the report."""
    array = [step for step in facts.steps if step.unit == "array"]
    host = [step for step in facts.steps if step.unit == "host"]
    cycles = sum(step.cycles for step in array)
    used = sum(step.macs_kept for step in array) / (cycles * facts.macs_per_cycle) if cycles else 0.0
    waited = sum(step.waited_cycles for step in array) / cycles if cycles else 0.0
    lines = [
        f"{milliseconds(facts.latency.expected_s)} simulated: {milliseconds(facts.host_call_s)} for the call, "
        f"{milliseconds(facts.host_s)} for {plural(len(host), 'operator')} on the host, the rest on the accelerator",
        f"the array multiplies {percent(used)} of what it could by weights that are not zero, and waits for memory {percent(waited)} of its steps' time",
        f"needs about {count(facts.dsps)} of {count(facts.dsps_available)} DSP blocks, {count(facts.luts)} of {count(facts.luts_available)} LUTs, "
        f"{count(facts.block_ram_bytes, 'B')} of {count(facts.block_ram_bytes_available, 'B')} block RAM",
    ]
    return (*lines, *(f"{step.name} ({step.op_type}) on the host, {milliseconds(step.latency_s)}: {step.why}" for step in host))


def _utilisation(facts: AcceleratorFacts, step: AcceleratorStep) -> float | None:
    return facts.utilisation(step) if step.unit == "array" else None


def _bound(step: AcceleratorStep) -> str:
    if not step.cycles:
        return ""
    start = step.cycles - step.array_cycles - step.waited_cycles
    return max((("array", step.array_cycles), ("memory", step.waited_cycles), ("start", start)), key=lambda part: part[1])[0]
