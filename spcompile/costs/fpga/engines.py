"""Blocks of what runs beside the array: depthwise layers on their engine, additions and poolings on the vector unit."""

import numpy as np

from spcompile.costs.fpga.tiling import Blocks, spans_of
from spcompile.costs.fpga.work import ROW_BYTES, Work
from spcompile.targets.accelerator import Accelerator


def depthwise_blocks(work: Work, target: Accelerator) -> Blocks:
    """work: one channel a group. `array_rows` channels at a time, as many outputs as half the input buffer has inputs for; one transfer brings both."""
    taps, room = work.columns, target.input_buffer_bytes // 2
    unit, count = (work.out_size[1], work.out_size[0]) if target.array_rows * work.input_bytes(work.out_size[1], target) <= room else (1, work.out_size[1])
    most = max([1, *(number for number in range(1, count + 1) if target.array_rows * work.input_bytes(number * unit, target) <= room)])
    spans, channels = np.array(spans_of(work.positions, most * unit)), np.array(spans_of(work.groups, target.array_rows))
    inputs = np.array([work.input_bytes(int(span), target) for span in spans])
    load = channels[:, None] * inputs
    load[:, 0] += channels * (taps * target.number_bytes + ROW_BYTES)
    cycles = -(-channels[:, None] * spans * taps // target.depthwise_macs_per_cycle)
    return Blocks(load.ravel(), cycles.ravel(), (channels[:, None] * spans * target.number_bytes).ravel())


def vector_operations(unit: str, sizes: list[int], work: Work | None) -> int:
    """For each number of the result: an addition one, a pooling one for each number under its window. sizes: of the inputs and, last, the result."""
    return work.columns if work is not None else max(1, sizes[0] // sizes[-1]) if unit == "average-pool" else 1


def vector_blocks(elements: int, read: int, operations: int, target: Accelerator) -> Blocks:
    """elements: of the result. read: numbers that are read for it. operations: of the vector unit for each result."""
    size = target.number_bytes
    in_room, out_room = (room // 2 // size for room in (target.input_buffer_bytes, target.output_buffer_bytes))
    parts = np.array(spans_of(elements, max(1, min(elements, in_room * elements // max(read, 1), out_room))))
    return Blocks(-(-parts * read // elements) * size, -(-parts * operations // target.vector_lanes), parts * size)
