"""A simulator of the accelerator: reads what `export` wrote, computes its numbers and counts cycles, block by block.

Numbers come from the images alone: weights are decoded from weights.bin and places.bin as the array decodes them, sums start at rows.bin's biases.
Host steps are run by the caller's function on fp32. Cycles are those of docs/accelerators.md.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from spcompile.accelerator.arithmetic import ARITHMETIC
from spcompile.accelerator.packing import unpack_places, unpack_tile
from spcompile.accelerator.partition import ADD, ARRAY, AVERAGE_POOL, CONCAT, DEPTHWISE, HOST, MAX_POOL, VIEW
from spcompile.accelerator.schedule import PLACES, ROWS, WEIGHTS, Schedule, StepEntry, TensorEntry, read
from spcompile.costs.fpga.cycles import drain_cycles, fill_cycles, lanes_used
from spcompile.costs.fpga.engines import depthwise_blocks, vector_blocks, vector_operations
from spcompile.costs.fpga.model import host_s
from spcompile.costs.fpga.tiling import Blocks, blocks
from spcompile.costs.fpga.timeline import simulated
from spcompile.costs.fpga.work import Work, span
from spcompile.formats.grouped import place_bits
from spcompile.targets.accelerator import Accelerator

RunHost = Callable[[str, Mapping[str, np.ndarray]], Mapping[str, np.ndarray]]  # (node's name, its inputs) -> its outputs, fp32


@dataclass(frozen=True)
class StepCycles:
    """One step's time. array_cycles: in which the array or the engine worked; waited_cycles: in which it stood for memory."""

    name: str
    unit: str
    cycles: int
    array_cycles: int
    waited_cycles: int
    moved_bytes: int
    seconds: float


class Simulator:
    """One exported network on its accelerator."""

    def __init__(self, folder: Path, target: Accelerator):
        self.schedule: Schedule = read(folder)
        self.target = target
        self._weights, self._places, self._rows = ((folder / name).read_bytes() for name in (WEIGHTS, PLACES, ROWS))
        self._tensors = {tensor.name: tensor for tensor in self.schedule.tensors}
        self._arithmetic = ARITHMETIC[target.precision]
        self._matrices: dict[str, np.ndarray] = {}

    def cycles(self) -> tuple[StepCycles, ...]:
        """Of every step; they do not depend on the inputs."""
        return tuple(self._timed(step) for step in self.schedule.steps)

    def numbers(self, feeds: Mapping[str, np.ndarray], host: RunHost) -> dict[str, np.ndarray]:
        """feeds: fp32 by input name -> every activation: fp32 where the host made it, in the accelerator's numbers where that did."""
        values: dict[str, np.ndarray] = dict(feeds)
        for step in self.schedule.steps:
            if step.unit == HOST:
                values.update(host(step.name, {name: self.real(name, values[name]) for name in step.inputs}))
            else:
                values[step.outputs[0]] = self._compute(step, [self.held(name, values[name]) for name in step.inputs])
        return values

    def real(self, name: str, array: np.ndarray) -> np.ndarray:
        """An activation as the host sees it."""
        return self._arithmetic.real(array, self._tensors[name]) if array.dtype == self._arithmetic.number else array

    def held(self, name: str, array: np.ndarray) -> np.ndarray:
        """An activation as the accelerator holds it."""
        return array if array.dtype == self._arithmetic.number else self._arithmetic.numbers(array, self._tensors[name])

    def _compute(self, step: StepEntry, inputs: list[np.ndarray]) -> np.ndarray:
        sources, result = [self._tensors[name] for name in step.inputs], self._tensors[step.outputs[0]]
        if step.unit in (ARRAY, DEPTHWISE):
            return self._product(step, inputs[0], result)
        if step.unit == ADD:
            return self._arithmetic.added(inputs, sources, step, result)
        if step.unit == CONCAT:
            return self._arithmetic.side_by_side(inputs, sources, step, result)
        if step.unit == MAX_POOL:
            largest = np.max(list(taps(inputs[0].astype(np.float32), step.work, step.pads, result.shape[2:], -np.inf)), axis=0).astype(self._arithmetic.number)
            return largest.reshape(result.shape[1], result.shape[0], *result.shape[2:]).transpose(1, 0, 2, 3)
        if step.unit == AVERAGE_POOL:
            return self._arithmetic.averaged(inputs[0], sources[0], step, result).reshape(result.shape)
        return inputs[0].reshape(result.shape)

    def _product(self, step: StepEntry, image: np.ndarray, result: TensorEntry) -> np.ndarray:
        work, matrix, rows = step.work, self.matrix(step).astype(np.float64), self._row_constants(step, result)  # products below are exact in doubles
        if step.unit == DEPTHWISE:
            seen = taps(image.astype(np.float64), work, step.pads, result.shape[2:], self._tensors[step.inputs[0]].zero)
            sums = sum(tap * weights[:, None] for tap, weights in zip(seen, matrix.T, strict=True))
        else:
            grouped = matrix.reshape(work.groups, work.rows, work.columns)
            sums = np.concatenate([part @ self.windows(step, image, group) for group, part in enumerate(grouped)])
        sums = np.concatenate([sums, np.zeros((len(rows) - len(sums), sums.shape[1]))])  # rows without weights
        found = self._arithmetic.finished(sums, rows, step, result)
        if step.row_order is not None:
            found[list(step.row_order)] = found.copy()
        if step.op_type == "Conv":
            return found.reshape(result.shape[1], result.shape[0], *result.shape[2:]).transpose(1, 0, 2, 3)
        return found.T.reshape(result.shape)

    def matrix(self, step: StepEntry) -> np.ndarray:
        """[rows of all groups, columns], decoded from the images, in the packed order of rows."""
        if step.name not in self._matrices:
            self._matrices[step.name] = self._decoded(step)
        return self._matrices[step.name]

    def _decoded(self, step: StepEntry) -> np.ndarray:
        work, weights_at, places_at, number = step.work, step.images.weights, step.images.places, self._arithmetic.number
        if step.unit == DEPTHWISE:
            return np.frombuffer(self._weights, number, work.groups * work.columns, weights_at).reshape(work.groups, work.columns)
        bits, parts = place_bits(work.of), []
        for _ in range(work.groups):
            tiles = []
            for tile, slots in enumerate(work.slots):
                shape = (work.steps(tile, self.target), self.target.array_rows, lanes_used(work.of, slots, self.target))
                count = int(np.prod(shape))
                values = np.frombuffer(self._weights, number, count, weights_at).reshape(shape)
                size = -(-count * bits // 8)
                places = unpack_places(self._places[places_at : places_at + size], count, work.of).reshape(shape)
                tiles.append(unpack_tile(values, places, work.of, slots, work.columns, self.target))
                weights_at, places_at = weights_at + count * number.itemsize, places_at + size
            parts.append(np.concatenate(tiles)[: work.rows])
        return np.concatenate(parts)

    def _row_constants(self, step: StepEntry, result: TensorEntry) -> np.ndarray:
        """[rows of all groups, then those without weights], without what fills the tiles up."""
        work, at, row = step.work, step.images.rows, self._arithmetic.row
        if step.unit == DEPTHWISE:
            return np.frombuffer(self._rows, row, work.groups, at)
        padded = len(work.slots) * self.target.array_rows
        computed = np.frombuffer(self._rows, row, work.groups * padded, at).reshape(work.groups, padded)[:, : work.rows].ravel()
        left = math.prod(result.shape) // work.positions - len(computed)
        return np.concatenate([computed, np.frombuffer(self._rows, row, left, at + work.groups * padded * row.itemsize)])

    def windows(self, step: StepEntry, image: np.ndarray, group: int = 0) -> np.ndarray:
        """image: a step's input -> [columns, positions] in fp64: in-channels neighbouring, taps outside; beyond the image its zero."""
        work = step.work
        if step.op_type != "Conv":
            return image.reshape(work.positions, work.columns).T.astype(np.float64)
        channels, shape = image[:, group * work.in_channels : (group + 1) * work.in_channels].astype(np.float64), self.schedule.tensor(step.outputs[0]).shape
        return np.concatenate(list(taps(channels, work, step.pads, shape[2:], self._tensors[step.inputs[0]].zero)))

    def _timed(self, step: StepEntry) -> StepCycles:
        target = self.target
        if step.unit == VIEW:
            return StepCycles(step.name, VIEW, 0, 0, 0, 0, 0.0)
        if step.unit == HOST:
            return StepCycles(step.name, HOST, 0, 0, 0, step.host_bytes, host_s(step.host_bytes, step.host_macs, target))
        work, fill = self._blocks(step), fill_cycles(target) if step.unit == ARRAY else 0
        cycles, waited = simulated(work, fill, drain_cycles(target), target)
        cycles += target.layer_cycles
        moved = int(work.load_bytes.sum() + work.store_bytes.sum())
        return StepCycles(step.name, step.unit, cycles, int(work.cycles.sum()), waited, moved, cycles / target.clock_hz)

    def _blocks(self, step: StepEntry) -> Blocks:
        if step.unit == ARRAY:
            return blocks(step.work, step.tiling, self.target).repeated(step.work.groups)
        if step.unit == DEPTHWISE:
            return depthwise_blocks(step.work, self.target)
        sizes = [int(np.prod(self.schedule.tensor(name).shape)) for name in (*step.inputs, *step.outputs)]
        return vector_blocks(sizes[-1], sum(sizes[:-1]), vector_operations(step.unit, sizes, step.work), self.target)


def taps(image: np.ndarray, work: Work, pads: tuple[int, int], out_size: tuple[int, int], beyond: float) -> Iterator[np.ndarray]:
    """image [batch, channels, height, width] -> for each tap, row by row, what it sees of every position: [channels, batch x positions]."""
    spans = [span(*axis) for axis in zip(out_size, work.strides, work.kernel, work.dilations, strict=True)]
    after = [max(0, reach - size - before) for reach, size, before in zip(spans, image.shape[2:], pads, strict=True)]
    padded = np.pad(image, ((0, 0), (0, 0), (pads[0], after[0]), (pads[1], after[1])), constant_values=beyond)
    for y in range(work.kernel[0]):
        for x in range(work.kernel[1]):
            starts = (y * work.dilations[0], x * work.dilations[1])
            rows, columns = (slice(start, start + (out - 1) * stride + 1, stride) for start, out, stride in zip(starts, out_size, work.strides, strict=True))
            yield padded[:, :, rows, columns].transpose(1, 0, 2, 3).reshape(image.shape[1], -1)
