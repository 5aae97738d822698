"""Cutting a layer into blocks that fit the buffers: what is loaded, computed and stored, block by block."""

from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil

import numpy as np

from spcompile.costs.fpga.cycles import tile_cycles
from spcompile.costs.fpga.work import ROW_BYTES, Work
from spcompile.targets.accelerator import Accelerator
from spcompile.verdict import Verdict

SUM_BYTES = 4
ORDERS = ("positions-outer", "rows-outer")


@dataclass(frozen=True)
class Tiling:
    """positions: outputs of a block. order: which loop is outside; the other operand is loaded again in every round unless it stays.

    chunks: parts that a row tile's columns are loaded in, where the weights of a whole one exceed half the weight buffer.
    """

    positions: int
    order: str
    chunks: int
    weights_stay: bool  # all weights of the group fit at once
    input_stays: bool  # the whole image fits at once

    def __post_init__(self):
        assert self.positions > 0 and self.chunks > 0 and self.order in ORDERS, self


@dataclass(frozen=True, eq=False)
class Blocks:
    """One entry a block, in the order in which they run: int64 arrays of one length."""

    load_bytes: np.ndarray
    cycles: np.ndarray  # of the array, the vector unit or the depthwise engine
    store_bytes: np.ndarray

    def repeated(self, times: int) -> "Blocks":
        return Blocks(*(np.tile(array, times) for array in (self.load_bytes, self.cycles, self.store_bytes)))


def fits(work: Work, target: Accelerator) -> Verdict:
    """Can the buffers hold the smallest block? The reason names the buffer."""
    least = max(1, target.array_positions)
    inputs = work.input_bytes(least, target)
    if inputs > target.input_buffer_bytes // 2:
        return Verdict.no(f"the inputs of {least} outputs take {inputs} bytes, half the input buffer has {target.input_buffer_bytes // 2}")
    if sum_bytes(least, target) > target.output_buffer_bytes // 2:
        return Verdict.no(
            f"{target.array_rows}x{least} sums take {sum_bytes(least, target)} bytes, half the output buffer has {target.output_buffer_bytes // 2}"
        )
    if work.weight_bytes(0, 1, target) > target.weight_buffer_bytes // 2:
        return Verdict.no(
            f"the weights of one window take {work.weight_bytes(0, 1, target)} bytes, half the weight buffer has {target.weight_buffer_bytes // 2}"
        )
    return Verdict.yes()


def sum_bytes(positions: int, target: Accelerator) -> int:
    """Of the sums of one row tile."""
    return SUM_BYTES * target.array_rows * positions


def tilings(work: Work, target: Accelerator) -> Iterator[Tiling]:
    """Both orders at the largest block of positions that fits, and at smaller ones, which fill and drain sooner."""
    tiles = [work.weight_bytes(tile, work.steps(tile, target), target) for tile in range(len(work.slots))]
    chunks, stays = ceil(max(tiles) / (target.weight_buffer_bytes // 2)), sum(tiles) <= target.weight_buffer_bytes
    for positions in _position_tiles(work, target):
        input_stays = positions == work.positions or work.input_bytes(work.positions, target) <= target.input_buffer_bytes
        for order in ORDERS:
            yield Tiling(positions, order, chunks, stays, input_stays)


def blocks(work: Work, tiling: Tiling, target: Accelerator) -> Blocks:
    """Of one group of channels."""
    spans = np.array(spans_of(work.positions, tiling.positions))
    outer = tiling.order == "positions-outer"
    at, tile = (axis.ravel() for axis in np.meshgrid(np.arange(len(spans)), np.arange(len(work.slots)), indexing="ij" if outer else "xy"))
    rows = np.minimum(target.array_rows, work.rows - tile * target.array_rows)
    weights, cycles = _chunked(work, tiling, target, spans.tolist())
    stay = tiling.weights_stay if outer else tiling.chunks == 1
    load = np.where(stay & (at > 0), 0, weights[:, tile]).T
    image = np.array([work.input_bytes(span, target) for span in spans.tolist()])[at]
    load[:, 0] += np.where((outer | tiling.input_stays) & (tile > 0), 0, image)
    store = np.zeros_like(load)
    store[:, -1] = rows * spans[at] * target.number_bytes
    return Blocks(load.ravel(), cycles[tile, at].ravel(), store.ravel())


def spans_of(total: int, size: int) -> list[int]:
    """Parts of `size`, the last as long as is left."""
    return [min(size, total - start) for start in range(0, total, size)]


def _chunked(work: Work, tiling: Tiling, target: Accelerator, spans: list[int]) -> tuple[np.ndarray, np.ndarray]:
    """-> bytes of weights [chunks, row tiles], cycles [row tiles, spans, chunks]"""
    slots = sorted(set(work.slots))
    place = np.searchsorted(slots, work.slots)
    edges = [np.arange(tiling.chunks + 1) * work.steps(work.slots.index(of), target) // tiling.chunks for of in slots]
    steps = [np.diff(edge).tolist() for edge in edges]
    sizes = [[work.weight_bytes(work.slots.index(of), part, target) for part in parts] for of, parts in zip(slots, steps, strict=True)]
    times = [[[tile_cycles(part, span, target) for part in parts] for span in spans] for parts in steps]
    bytes_ = np.array(sizes, np.int64)[place].T.copy()
    bytes_[0] += ROW_BYTES * target.array_rows
    return bytes_, np.array(times, np.int64)[place]


def _position_tiles(work: Work, target: Accelerator) -> list[int]:
    """Whole rows of outputs where one fits, else parts of a row; the largest that fits and its halves."""

    def holds(positions: int) -> bool:
        room = target.dataflow == "output-stationary" or sum_bytes(positions, target) <= target.output_buffer_bytes // 2
        return room and work.input_bytes(positions, target) <= target.input_buffer_bytes // 2

    height, width = work.out_size
    unit, count = (width, height) if holds(width) else (1, width)
    most = _largest(count, lambda number: holds(number * unit))
    sizes = {max(1, ceil(most / part)) for part in (1, 2, 4)}
    return [size * unit for size in sorted(sizes, reverse=True)]


def _largest(count: int, holds) -> int:
    """The largest number up to `count` that holds, by halving; 1 at least."""
    low, high = 1, count
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if holds(middle) else (low, middle - 1)
    return low
