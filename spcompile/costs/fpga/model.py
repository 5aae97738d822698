"""The analytic model: cycles and bytes of one layer, in the tiling that takes least."""

from dataclasses import dataclass
from functools import lru_cache

from spcompile.costs.fpga.cycles import drain_cycles, fill_cycles
from spcompile.costs.fpga.engines import depthwise_blocks, vector_blocks
from spcompile.costs.fpga.tiling import Blocks, Tiling, blocks, tilings
from spcompile.costs.fpga.timeline import predicted
from spcompile.costs.fpga.work import Work
from spcompile.costs.latency import Latency
from spcompile.targets.accelerator import Accelerator

LOW, HIGH = 0.85, 1.25  # truth / prediction 9 times of 10: so the DPU's published rows spread in benchmarks/fpga_published.py


@dataclass(frozen=True)
class Cost:
    """One layer alone. `tiling` is None beside the array."""

    cycles: float
    array_cycles: int  # of the blocks themselves, were memory infinitely fast
    moved_bytes: int  # between the memory and the buffers
    tiling: Tiling | None


@lru_cache(maxsize=65536)
def array_cost(work: Work, target: Accelerator) -> Cost:
    """In the best tiling; groups of channels follow one another."""
    costs = (_cost(blocks(work, tiling, target).repeated(work.groups), fill_cycles(target), tiling, target) for tiling in tilings(work, target))
    return min(costs, key=lambda cost: cost.cycles)


@lru_cache(maxsize=4096)
def depthwise_cost(work: Work, target: Accelerator) -> Cost:
    """On the engine for depthwise layers."""
    return _cost(depthwise_blocks(work, target), 0, None, target)


@lru_cache(maxsize=4096)
def vector_cost(elements: int, read: int, operations: int, target: Accelerator) -> Cost:
    """On the vector unit; see `vector_blocks`."""
    return _cost(vector_blocks(elements, read, operations, target), 0, None, target)


def host_s(moved_bytes: int, macs: int, target: Accelerator) -> float:
    """Of one operator on the host: its call, the fp32 numbers that it reads and writes, the multiplications of a layer."""
    return target.host_operator_s + moved_bytes / target.host_bytes_per_second + macs / target.host_macs_per_second


def latency(cycles: float, target: Accelerator) -> Latency:
    """Basis "analytic"."""
    return in_range(cycles / target.clock_hz)


def in_range(seconds: float) -> Latency:
    """With the range that published designs show."""
    return Latency(seconds, seconds * LOW, seconds * HIGH, "analytic")


def _cost(blocks: Blocks, fill: int, tiling: Tiling | None, target: Accelerator) -> Cost:
    cycles = target.layer_cycles + predicted(blocks, fill, drain_cycles(target), target)
    return Cost(cycles, int(blocks.cycles.sum()), int(blocks.load_bytes.sum() + blocks.store_bytes.sum()), tiling)
