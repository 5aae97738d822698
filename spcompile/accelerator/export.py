"""A quantised network -> the files that the accelerator runs from: packed weights, places, rows' constants, the schedule."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from spcompile.accelerator.arithmetic import ARITHMETIC
from spcompile.accelerator.packing import pack_places, pack_tile
from spcompile.accelerator.partition import ADD, ARRAY, AVERAGE_POOL, CONCAT, DEPTHWISE, HOST, MAX_POOL, Step, host_bytes, pooling_work
from spcompile.accelerator.quantised import Quantised
from spcompile.accelerator.reference_int8 import average_factor, input_factors
from spcompile.accelerator.schedule import PLACES, ROWS, WEIGHTS, Images, Schedule, StepEntry, TensorEntry, write
from spcompile.costs.fpga.model import array_cost
from spcompile.costs.fpga.slots import SCATTERED
from spcompile.costs.fpga.work import Work, work_of
from spcompile.patterns.balanced import Balanced
from spcompile.patterns.n_of_m import NOfM
from spcompile.targets.accelerator import Accelerator


@dataclass(frozen=True, eq=False)
class Packed:
    """One array step as it is stored: rows in their order, and room for the fullest group of each row tile."""

    rows: int  # of a group of channels that the array computes; the others have no weights
    of: int
    slots: tuple[int, ...]  # of each row tile, the fullest of all groups of channels
    order: np.ndarray  # packed row -> out channel; those without weights last


def export(network: Quantised, target: Accelerator, folder: Path) -> Schedule:
    """Writes schedule.json, weights.bin, places.bin and rows.bin into `folder`."""
    weights, places, rows, entries = bytearray(), bytearray(), bytearray(), []
    for step in network.steps:
        entry = _entry(network, step)
        if step.unit in (ARRAY, DEPTHWISE):
            images, found = Images(len(weights), len(places), len(rows)), network.weights[step.name]
            packed = packing(found.matrix, step.layer.groups, target) if step.unit == ARRAY else Packed(1, 1, (1,), np.arange(step.layer.rows))
            work = _work(network, step, packed)
            if step.unit == ARRAY:
                _append_array(found.matrix[packed.order[: work.rows * work.groups]], work, target, weights, places)
            else:
                weights += found.matrix.tobytes()
            rows += row_image(_row_constants(network, step), packed.order, work, target, step.unit)
            tiling = array_cost(work, target).tiling if step.unit == ARRAY else None
            order = tuple(packed.order.tolist())
            moved = order if order != tuple(range(len(order))) else None
            entry = replace(entry, work=work, tiling=tiling, images=images, row_order=moved, pads=step.layer.pads[:2])
        entries.append(entry)
    for name, image in ((WEIGHTS, weights), (PLACES, places), (ROWS, rows)):
        (folder / name).write_bytes(image)
    tensors = tuple(TensorEntry(name, network.shapes[name], affine.scale, affine.zero) for name, affine in network.affines.items())
    schedule = Schedule(target.name, tensors, tuple(entries))
    write(schedule, folder)
    return schedule


def packing(matrix: np.ndarray, groups: int, target: Accelerator) -> Packed:
    """The group size, of those that the target decodes, that leaves least to compute, then least to store.

    Rows change places within their group of channels where the target balances its load so.
    """
    found = [_packed(matrix, groups, of, target) for of in (1, *_group_sizes(target))]
    return min(found, key=lambda packed: _size(packed, matrix.shape[1], target))


def _group_sizes(target: Accelerator) -> list[int]:
    found = {pattern.of for pattern in target.patterns if isinstance(pattern, (NOfM, Balanced))}
    return sorted(found | ({min(SCATTERED, target.window_columns)} if "unstructured" in target.decodes else set()))


def _size(packed: Packed, columns: int, target: Accelerator) -> tuple[int, int]:
    """Windows of all row tiles, bytes of their weights."""
    work = Work(packed.rows, columns, packed.of, packed.slots, (1, 1), (1, 1), columns)
    windows = [work.steps(tile, target) for tile in range(len(packed.slots))]
    return sum(windows), sum(work.weight_bytes(tile, steps, target) for tile, steps in enumerate(windows))


def _packed(matrix: np.ndarray, groups: int, of: int, target: Accelerator) -> Packed:
    fullest = _fullest(matrix, of).reshape(groups, -1)
    size = fullest.shape[1]
    order = np.arange(size)[None].repeat(groups, 0)
    if target.load_balancing == "sorted-rows" and of > 1:
        order = np.argsort(fullest, axis=1, kind="stable")
    if groups == 1:  # rows without weights go to the end; groups of channels would have to drop equally many
        order = order[:, np.argsort(fullest[0][order[0]] == 0, kind="stable")]
    rows = max(1, int((fullest > 0).sum())) if groups == 1 else size
    sorted_ = np.maximum(1, np.take_along_axis(fullest, order, axis=1).max(axis=0))
    slots = tuple(int(sorted_[at : min(rows, at + target.array_rows)].max()) for at in range(0, rows, target.array_rows))
    return Packed(rows, of, slots, (order + np.arange(groups)[:, None] * size).ravel())


def _fullest(matrix: np.ndarray, of: int) -> np.ndarray:
    """[rows]: weights that the fullest group of each row keeps."""
    rows, columns = matrix.shape
    padded = np.zeros((rows, -(-columns // of) * of), bool)
    padded[:, :columns] = matrix != 0
    return padded.reshape(rows, -1, of).sum(axis=2).max(axis=1)


def _work(network: Quantised, step: Step, packed: Packed) -> Work:
    return work_of(step.layer, network.shapes[step.layer.input], network.shapes[step.layer.output], packed.rows, packed.of, packed.slots)


def _append_array(matrix: np.ndarray, work: Work, target: Accelerator, weights: bytearray, places: bytearray) -> None:
    for group in matrix.reshape(work.groups, work.rows, work.columns):
        for tile, slots in enumerate(work.slots):
            rows = group[tile * target.array_rows : (tile + 1) * target.array_rows]
            values, where = pack_tile(rows, work.of, slots, target)
            weights += values.tobytes()
            places += pack_places(where, work.of)


def _row_constants(network: Quantised, step: Step) -> np.ndarray:
    arithmetic, zero = ARITHMETIC[network.precision], network.affines[step.inputs[0]].zero
    return arithmetic.rows(network.weights[step.name], network.requantisers.get(step.name), zero)


def row_image(constants: np.ndarray, order: np.ndarray, work: Work, target: Accelerator, unit: str) -> bytes:
    """constants: 8 bytes a row, little endian. Array steps fill row tiles up with copies of the first row; rows without weights follow."""
    image = constants[order]
    if unit == DEPTHWISE:
        return image.tobytes()
    computed = work.rows * work.groups
    padded = np.full((work.groups, len(work.slots) * target.array_rows), image[0])
    padded[:, : work.rows] = image[:computed].reshape(work.groups, work.rows)
    return padded.tobytes() + image[computed:].tobytes()


def _entry(network: Quantised, step: Step) -> StepEntry:
    how = {"factors": _factors(network, step)} if network.precision == "int8" else {"limits": step.limits}
    entry = StepEntry(step.unit, step.name, step.op_type, step.inputs, step.outputs, why=step.why, **how)
    if step.unit == HOST:
        return replace(entry, host_bytes=host_bytes(step, network.shapes), host_macs=step.macs)
    if step.unit != MAX_POOL:
        return entry
    work, pads = pooling_work(next(node for node in network.model.graph if node.name == step.name))
    return replace(entry, work=work, pads=pads)


def _factors(network: Quantised, step: Step) -> tuple[int, ...]:
    if step.unit in (ADD, CONCAT):
        return input_factors(network, step)
    return (average_factor(network, step),) if step.unit == AVERAGE_POOL else ()
