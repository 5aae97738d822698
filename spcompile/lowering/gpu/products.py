"""Products of two activations as one launch of a batch of tensor-core products."""

import math
from dataclasses import replace

from spcompile.kernels.gpu.mma_product import MmaProduct
from spcompile.kernels.gpu.window import CHUNK, Window
from spcompile.kernels.gpu.work import Product
from spcompile.kernels.operand import Operand
from spcompile.lowering.emitter import pointer
from spcompile.lowering.gpu.emitter import GpuEmitter
from spcompile.lowering.gpu.tiles import best_tile
from spcompile.lowering.tasks import Task
from spcompile.lowering.view import View


def lower_matmul(emitter: GpuEmitter, task: Task) -> None:
    """y = a x of two activations: the columns of x are the product's rows, so x is copied with them outermost."""
    a, x = (emitter.view(value) for value in task.node.inputs)
    batch = task.shape[:-2]
    a, x = a.broadcast((*batch, *a.shape[-2:])), x.broadcast((*batch, *x.shape[-2:]))
    swapped = x.transpose((*range(len(batch)), len(batch) + 1, len(batch)))
    left, right = _matrices(emitter, a), _matrices(emitter, swapped)
    (count, positions, columns), rows = left.shape, right.shape[1]
    out = emitter.compact(task.shape)
    views = [emitter.copy(emitter.view(value).broadcast(task.shape), out.strides) for value in task.operands]
    operands = tuple(Operand(1, rows, positions * rows) for _ in views)
    window = Window.linear(positions, columns, left.strides[1])
    kernel = MmaProduct(
        rows, positions, window, right.strides[1], rows, best_tile(Product(rows, positions, columns, batch=count), emitter.target), emitter.dtype, batch=count,
        batch_strides=(right.strides[0], left.strides[0], positions * rows), epilogue=task.expression, operands=operands,
        operand_dtypes=tuple(emitter.dtype_of(view) for view in views), weight_columns=columns, aligned=True,
    )  # fmt: skip
    emitter.call(kernel, pointer(right), pointer(left), pointer(out), *(pointer(view) for view in views))
    emitter.views[task.output] = out


def _matrices(emitter: GpuEmitter, view: View) -> View:
    """[..., m, k] -> [batch, m, k] with k adjacent and all else in whole chunks; a copy where the strides do not allow it."""
    flat_shape = (math.prod(view.shape[:-2]), *view.shape[-2:])
    even = emitter.dtype_of(view) == emitter.dtype and view.strides[-1] == 1 and view.strides[-2] % CHUNK == 0 and view.strides[-2] > 0
    flat = view.reshape(flat_shape) if even and view.offset % CHUNK == 0 and all(s % CHUNK == 0 for s in view.strides[:-2]) else None
    if flat is None:
        copy = emitter.matrix(view.shape)
        emitter.elementwise(copy, [view])
        view, flat = copy, copy.reshape(flat_shape)
    return replace(flat, strides=(flat.strides[0], *view.strides[-2:]))  # a reshape gives axes of extent 1 a stride of 0
