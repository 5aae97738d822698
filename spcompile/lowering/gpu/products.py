"""Products of two activations as one launch of a batch of tensor-core products."""

from collections.abc import Sequence

import onnx_ir as ir

from spcompile.kernels.axes import merged
from spcompile.kernels.gpu.grid_transpose import GridTranspose
from spcompile.kernels.gpu.mma_product import MmaProduct
from spcompile.kernels.gpu.window import CHUNK, Window
from spcompile.kernels.gpu.work import Product
from spcompile.kernels.operand import Operand
from spcompile.lowering.emitter import pointer
from spcompile.lowering.gpu.emitter import GpuEmitter, aligned
from spcompile.lowering.gpu.tiles import best_tile
from spcompile.lowering.tasks import Task, fits_epilogue, shape_of
from spcompile.lowering.view import View

LEVELS = 2  # of batches that a launch can step through: sequences and their heads
Levels = list[tuple[int, tuple[int, ...]]]  # (extent, stride of each view), outermost first


def fits_product(task: Task, value: ir.Value) -> bool:
    """Beside what every epilogue takes, whatever a product of activations can step through: a mask of each sequence, say."""
    if fits_epilogue(task, value):
        return True
    own, activations = shape_of(value), task.node.op_type == "MatMul" and all(given.const_value is None for given in task.node.inputs)
    repeats = all(n in (1, wide) for n, wide in zip(reversed(own), reversed(task.shape), strict=False))
    return activations and value.dtype == ir.DataType.FLOAT and len(own) <= len(task.shape) and repeats


def lower_matmul(emitter: GpuEmitter, task: Task) -> None:
    """y = a x of two activations: the columns of x are the product's rows, so x is read, or copied, with them outermost."""
    a, x = (emitter.view(value) for value in task.node.inputs)
    batch = task.shape[:-2]
    a, x = a.broadcast((*batch, *a.shape[-2:])), x.broadcast((*batch, *x.shape[-2:]))
    left, right = (_readable(emitter, view) for view in (a, _swapped(x)))
    out = _placed(emitter, task)
    views = [emitter.view(value).broadcast(task.shape) for value in task.operands]
    levels = _levels([right, left, out, *views])
    if len(levels) > LEVELS:
        left, right, out = _copy(emitter, left), _copy(emitter, right), emitter.compact(task.shape)
        views = [emitter.copy(view, out.strides) for view in views]
        levels = _levels([right, left, out, *views])
    (count, outer), (inner, within) = _two(levels, 3 + len(views))
    positions, columns, rows = *left.shape[-2:], right.shape[-2]
    tile = best_tile(Product(rows, positions, columns, batch=count * inner), emitter.target)
    operands = [Operand(view.strides[-1], view.strides[-2], *at) for view, *at in zip(views, outer[3:], within[3:], strict=True)]
    kernel = MmaProduct(
        rows, positions, Window.linear(positions, columns, left.strides[-2]), right.strides[-2], out.strides[-2], tile, emitter.dtype, batch=count * inner,
        batch_strides=outer[:3], inner=inner, inner_strides=within[:3], epilogue=task.expression, operands=tuple(operands),
        operand_dtypes=tuple(emitter.dtype_of(view) for view in views), weight_columns=columns, aligned=aligned(out, *views),
    )  # fmt: skip
    emitter.call(kernel, pointer(right), pointer(left), pointer(out), *(pointer(view) for view in views))
    emitter.views[task.output] = out


def _placed(emitter: GpuEmitter, task: Task) -> View:
    """The result in the order that its reader wants: a transposition that keeps the last axis last costs nothing."""
    (reader, _), *others = task.output.uses() or [(None, 0)]
    transposed = reader is not None and not others and reader.op_type == "Transpose"
    order = tuple(reader.attributes.get_ints("perm", ())) if transposed else ()
    if not order or order[-1] != len(order) - 1 or task.output.is_graph_output():
        return emitter.compact(task.shape)
    return emitter.compact(tuple(task.shape[axis] for axis in order)).transpose(tuple(order.index(axis) for axis in range(len(order))))


def _readable(emitter: GpuEmitter, view: View) -> View:
    """[..., m, k] with k adjacent and all else in whole chunks; a copy where it is not."""
    steps = [stride for extent, stride in zip(view.shape[:-1], view.strides[:-1], strict=True) if extent > 1]
    even = not any(stride % CHUNK for stride in (view.offset, *steps)) and view.strides[-1] == 1 and view.strides[-2] > 0
    return view if even and emitter.dtype_of(view) == emitter.dtype else _copy(emitter, view)


def _copy(emitter: GpuEmitter, view: View) -> View:
    levels = _levels([view])
    turned = view.strides[-2] == 1 and len(levels) <= LEVELS and emitter.dtype_of(view) == emitter.dtype
    if not turned:
        return emitter.copied(view, emitter.matrix)
    copy = emitter.matrix(view.shape)
    (count, outer), (inner, within) = _two(levels, 1)
    columns, rows = view.shape[-2:]
    kernel = GridTranspose(rows, columns, view.strides[-1], copy.strides[-2], emitter.dtype, count * inner, inner, (*outer, *within))
    emitter.call(kernel, pointer(copy), pointer(view))
    return copy


def _swapped(view: View) -> View:
    """Its last two axes exchanged."""
    *batch, row, column = range(len(view.shape))
    return view.transpose((*batch, column, row))


def _two(levels: Levels, views: int) -> Levels:
    """Exactly two; missing ones have extent 1."""
    return [*[(1, (0,) * views)] * (LEVELS - len(levels)), *levels]


def _levels(views: Sequence[View]) -> Levels:
    """The batch axes of views of one batch, merged where each continues the next in all of them."""
    batch = range(len(views[0].shape) - 2)
    return [(extent, tuple(strides)) for extent, *strides in merged((views[0].shape[axis], *(view.strides[axis] for view in views)) for axis in batch)]
