"""Products of two activations, and rows of a table."""

import math
from dataclasses import replace

from spcompile.costs.cpu import predict
from spcompile.kernels.cpu.gather import Gather
from spcompile.kernels.cpu.matmul import Matmul
from spcompile.kernels.expression import ACCUMULATOR
from spcompile.kernels.operand import Operand
from spcompile.lowering.emitter import Emitter, pointer
from spcompile.lowering.tasks import Task, shape_of
from spcompile.lowering.view import View, row_major

ROWS = (8, 6, 5, 4, 3, 2, 1)


def lower_matmul(emitter: Emitter, task: Task) -> None:
    """y = a x. Lanes run along the axis of the result that is contiguous in an operand; the product is transposed where that is a's."""
    a, x = (emitter.view(value) for value in task.node.inputs)
    batch = task.shape[:-2]
    a, x = a.broadcast((*batch, *a.shape[-2:])), x.broadcast((*batch, *x.shape[-2:]))
    transposed = a.strides[-2] == 1 and a.shape[-2] > 1
    out = emitter.compact(task.shape, _transposed(task.shape) if transposed else None)
    left, right, result = (_swap(x), _swap(a), _swap(out)) if transposed else (a, x, out)
    if right.shape[-1] > 1 and right.strides[-1] != 1:
        right = emitter.conform(right, row_major(right.shape))
    views = [emitter.view(value).broadcast(task.shape) for value in task.operands]
    views = [_swap(view) for view in views] if transposed else views
    views = [view if view.strides[-1] in (0, 1) else emitter.conform(view, result.strides) for view in views]
    flat = [_flat_batch(emitter, view) for view in (left, right, result, *views)]
    operands = tuple(Operand(view.strides[1], view.strides[2], view.strides[0]) for view in flat[3:])
    kernel = _fastest(emitter, *flat[:3], task.expression, operands)
    emitter.call(kernel, *(pointer(view) for view in flat))
    emitter.views[task.output] = out


def _transposed(shape: tuple[int, ...]) -> tuple[int, ...]:
    strides = row_major((*shape[:-2], shape[-1], shape[-2]))
    return (*strides[:-2], strides[-1], strides[-2])


def _swap(view: View) -> View:
    rank = len(view.shape)
    return view.transpose((*range(rank - 2), rank - 1, rank - 2))


def _flat_batch(emitter: Emitter, view: View) -> View:
    """[..., m, n] -> [batch, m, n]."""
    shape = (math.prod(view.shape[:-2]), *view.shape[-2:])
    if view.reshape(shape) is None:
        view = emitter.conform(view, row_major(view.shape))
    flat = view.reshape(shape)
    # A reshape gives axes of extent 1 a stride of 0; the last two keep theirs.
    return replace(flat, strides=(flat.strides[0], *view.strides[-2:]))


def _fastest(emitter: Emitter, a: View, x: View, y: View, epilogue=ACCUMULATOR, operands=()) -> Matmul:
    (batch, m, k), n = a.shape, x.shape[-1]
    candidates = []
    for rows in (r for r in ROWS if m % r == 0):
        for lanes in (emitter.target.lanes_fp32 >> shift for shift in range(5)):
            for vectors in range(1, 5):
                if lanes and vectors * lanes <= n and rows * vectors + vectors + 1 <= emitter.target.vector_registers:
                    candidates.append(
                        Matmul(batch, m, n, k, a.strides, x.strides[:2], y.strides[:2], rows, vectors, lanes, epilogue, operands)
                    )  # fmt: skip
    return min(candidates, key=lambda kernel: predict(kernel.work(), emitter.target, emitter.threads).expected_s)


def lower_gather(emitter: Emitter, task: Task) -> None:
    """Rows of a constant table by computed indices, written width outermost as a linear layer reads them; or one constant index."""
    table, index = task.node.inputs[:2]
    axis = task.node.attributes.get_int("axis", 0)
    if index.const_value is not None:
        _constant_gather(emitter, task, axis % len(shape_of(table)))
        return
    view = emitter.view(table)
    entries, width = view.shape
    count = math.prod(shape_of(index))
    out = emitter.compact((count, width), (1, count))
    where = emitter.view(index)
    axes = tuple(zip(where.shape, where.strides, strict=True))
    emitter.call(Gather(axes, width, entries, out.strides, where.dtype), pointer(view), pointer(where), pointer(out))
    emitter.views[task.output] = out.reshape(task.shape)


def _constant_gather(emitter: Emitter, task: Task, axis: int) -> None:
    """A copy for each run of places that lie equally far apart."""
    view = emitter.view(task.node.inputs[0])
    index = task.node.inputs[1].const_value.numpy()
    runs = _runs([int(i) % view.shape[axis] for i in index.ravel()])
    if len(runs) == 1:
        emitter.views[task.output] = emitter.reshaped(view.slice(axis, *runs[0]), task.shape)
        return
    out, start = emitter.compact((*view.shape[:axis], index.size, *view.shape[axis + 1 :])), 0
    for first, count, step in runs:
        emitter.elementwise(out.slice(axis, start, count), [view.slice(axis, first, count, step)])
        start += count
    emitter.views[task.output] = out.reshape(task.shape)


def _runs(places: list[int]) -> list[tuple[int, int, int]]:
    """(first place, how many, step from one to the next), as few as following them one by one gives; the step may be zero or negative."""
    runs, start = [], 0
    while start < len(places):
        step = places[start + 1] - places[start] if start + 1 < len(places) else 1
        count = next((count for count in range(1, len(places) - start) if places[start + count] != places[start] + count * step), len(places) - start)
        runs.append((places[start], count, step))
        start += count
    return runs
