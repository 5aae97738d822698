"""What a report says of an FPGA-like target: frozen values that the simulator counted."""

from dataclasses import dataclass

from spcompile.costs.latency import Latency


@dataclass(frozen=True)
class AcceleratorStep:
    """One step of an accelerator's schedule, its time counted by the simulator. Cycles are 0 for what runs on the host."""

    name: str
    op_type: str
    unit: str  # "array", "depthwise", "add", "concat", "max-pool", "average-pool", "view" or "host"
    cycles: int
    array_cycles: int  # in which the array or engine worked
    waited_cycles: int  # in which it stood for memory
    moved_bytes: int  # between the memory and the buffers; of host steps fp32 numbers
    latency_s: float
    macs: int  # of the dense layer
    macs_kept: int  # with weights that are not zero
    packing: str  # of the weights: "dense", "2 of 8"; "" where there are none
    why: str  # of host steps

    def __post_init__(self):
        assert 0 <= self.macs_kept <= self.macs and self.latency_s >= 0, self


@dataclass(frozen=True)
class AcceleratorFacts:
    """What the simulator of an FPGA-like target counted, and what its array needs of the part."""

    steps: tuple[AcceleratorStep, ...]
    latency: Latency  # basis "simulated", the call included
    host_call_s: float
    macs_per_cycle: int
    clock_hz: float
    memory_bytes_per_second: float
    dsps: int
    luts: int
    block_ram_bytes: int
    dsps_available: int
    luts_available: int
    block_ram_bytes_available: int

    @property
    def peak_macs_per_second(self) -> float:
        """Of the array."""
        return self.macs_per_cycle * self.clock_hz

    @property
    def host_s(self) -> float:
        """Of the operators that the host runs."""
        return sum(step.latency_s for step in self.steps if step.unit == "host")

    def utilisation(self, step: AcceleratorStep) -> float:
        """Share of the array's multiplications, in the step's time, whose weight is not zero."""
        return step.macs_kept / (step.cycles * self.macs_per_cycle) if step.cycles else 0.0
