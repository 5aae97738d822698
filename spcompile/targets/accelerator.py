"""An FPGA-like accelerator: an array of int8 or bf16 multipliers that may decode zeros away, its buffers, its memory, its host."""

from dataclasses import dataclass, field
from typing import ClassVar

from spcompile.errors import NotationError, TargetError
from spcompile.patterns import Pattern, parse
from spcompile.targets.device import Device


@dataclass(frozen=True)
class Accelerator(Device):
    """One array. In a cycle it takes `array_positions` windows of `window_columns` activations, shared by all rows; each of its `array_rows` rows has
    `array_lanes` multipliers for each position, and each multiplier picks the activation that its weight's place in its group names.

    weight-stationary: `array_rows` x `array_lanes` weights stay in place while all positions of a tile stream past; sums wait in the output buffer.
    output-stationary: the sums of `array_rows` x `array_positions` outputs stay in place while their columns stream past.
    docs/accelerators.md gives the cycles of both to the last one.
    """

    ALLOWED: ClassVar[dict[str, tuple[str, ...]]] = {
        "precision": ("int8", "bf16"),
        "dataflow": ("weight-stationary", "output-stationary"),
        "load_balancing": ("none", "sorted-rows"),
    }

    name: str
    description: str
    family: str  # "fpga"
    precision: str  # of weights and activations; sums have 32 bits, whole numbers or fp32
    clock_hz: float  # of the array
    array_rows: int  # out channels at once
    array_lanes: int  # multipliers of a row, for one position
    array_positions: int  # outputs of a row at once
    window_columns: int  # activations that reach the rows for one position: decoding skips at most window_columns / array_lanes
    decodes: tuple[str, ...]  # patterns whose zeros cost no cycles: "2:8", "balanced32", "unstructured"; dense always runs
    dataflow: str
    load_balancing: str  # of rows that keep different numbers of weights: "sorted-rows" puts alike ones into one tile
    pipeline_cycles: int  # from a window at the array to its result at the output
    accumulate_cycles: int  # from adding to a sum to the next addition to it; weight-stationary only
    weight_load_cycles: int  # to put the weights of one pass in place, behind the pass before it; weight-stationary only
    result_cycles: int  # between results of array_rows x array_positions outputs; output-stationary only
    weight_buffer_bytes: int  # each buffer is used in halves: one is filled or emptied while the other works
    input_buffer_bytes: int
    output_buffer_bytes: int
    memory_bytes_per_second: float  # sustained, reads and writes together
    memory_latency_cycles: int  # before the first byte of a transfer
    layer_cycles: int  # to start a layer: instructions, synchronisation
    host_call_s: float  # of one inference: the driver, the first and the last copy
    host_operator_s: float  # of one operator that runs on the host
    host_bytes_per_second: float  # fp32 that such an operator reads and writes
    host_macs_per_second: float  # of layers that the accelerator cannot run
    dsps: int  # of the part or the share given to this array
    luts: int
    block_ram_bytes: int
    multiplies_per_dsp: int  # products of one DSP block a cycle
    vector_lanes: int = 0  # additions and poolings a cycle, beside the array; 0: they run on the host
    depthwise_macs_per_cycle: int = 0  # of an engine for depthwise layers; 0: they run on the host
    sources: tuple[tuple[str, str], ...] = field(default=(), compare=False, repr=False)

    def __post_init__(self):
        if self.window_columns < self.array_lanes:
            raise TargetError(f"window_columns = {self.window_columns} feeds fewer activations than there are array_lanes = {self.array_lanes}")
        for notation in self.decodes:
            try:
                pattern = parse(notation)
            except NotationError as error:
                raise TargetError(f"decodes: {error}") from error
            if getattr(pattern, "of", 1) > self.window_columns:
                raise TargetError(f"decodes {notation}, whose groups of {pattern.of} columns are wider than window_columns = {self.window_columns}")

    @property
    def number_bytes(self) -> int:
        """Of a weight or an activation."""
        return 1 if self.precision == "int8" else 2

    @property
    def macs_per_cycle(self) -> int:
        """Of the array, dense."""
        return self.array_rows * self.array_lanes * self.array_positions

    @property
    def peak_flops(self) -> float:
        """Dense operations a second of the array."""
        return 2 * self.macs_per_cycle * self.clock_hz

    @property
    def memory_bytes_per_cycle(self) -> float:
        return self.memory_bytes_per_second / self.clock_hz

    @property
    def patterns(self) -> tuple[Pattern, ...]:
        """What is worth offering to the search, dense first: rows that are gone cost nothing on any array."""
        return (parse("dense"), *(parse(notation) for notation in self.decodes), parse("channel"))
