"""Windows over one channel: depthwise convolutions and pools, each by the kernel that is predicted to be the fastest.

before: a task over images        after: one call per image of the batch, and what fills the border of its result
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import product

import numpy as np
import onnx_ir as ir

from spcompile.costs.cpu import predict
from spcompile.ir.layer import Layer
from spcompile.kernels.cpu.window import Window
from spcompile.kernels.expression import Expression, operand, substitute
from spcompile.kernels.operand import Operand
from spcompile.lowering import geometry
from spcompile.lowering.emitter import Emitter
from spcompile.lowering.images import Image
from spcompile.lowering.program import Argument
from spcompile.lowering.relayout import read_image
from spcompile.lowering.tasks import Task
from spcompile.lowering.view import View

LINES = (1, 2, 4)  # summed up at once
VECTORS = (4, 3, 2, 1)  # registers of a line, or of the flat positions, summed up at once
MASKED = ("where", operand(1), operand(0), ("const", 0.0))  # what `image_epilogue` adds to flat positions of a bordered image
Finish = Callable[[geometry.Window, Image, Expression, tuple[Operand, ...]], tuple[Expression, tuple[Operand, ...], tuple[Argument, ...]]]


def lower_window(emitter: Emitter, task: Task, reduction: str, layer: Layer | None = None, finish: Finish | None = None) -> None:
    """layer: of a convolution. finish: what comes between the sums and the task's own epilogue -> both, with operands and their arguments."""
    image, window, source = read_image(emitter, task.node)
    out = emitter.plan.images[task.output]
    view = emitter.image_view(out)
    rows, multiplier = (layer.rows, layer.rows // layer.groups) if layer is not None else (out.channels, 1)
    kernels = _kernels(emitter, reduction, rows, multiplier, image, window, out)
    kernel = min(kernels, key=lambda kernel: predict(kernel.work(), emitter.target, emitter.threads).expected_s)
    epilogue, operands, arguments = image_epilogue(emitter, task, out, layer, masked=kernel.flat)
    extra: tuple[Argument, ...] = ()
    if finish is not None:
        epilogue, operands, extra = finish(window, out, epilogue, operands)
    kernel = replace(kernel, epilogue=epilogue, operands=operands)
    values = [Argument(emitter.stored(matrix_of(task.node, layer).ravel()))] if layer is not None else []
    for n in range(out.batch):
        x, y = Argument(source.buffer, source.offset + n * image.batch_stride), Argument(view.buffer, view.offset + n * out.batch_stride)
        emitter.call(kernel, x, *values, y, *arguments(n), *extra, layer=layer.name if layer is not None else None)
    emitter.border(out, view, columns=not kernel.flat, written=out.run if kernel.flat else out.positions)
    emitter.views[task.output] = view


def _kernels(*site) -> Iterator[Window]:
    """Without epilogues but the mask that flat positions need."""
    for kernel in _tiles(*site):
        yield kernel
        if kernel.can_pick:
            yield replace(kernel, picked=True)


def _tiles(emitter: Emitter, reduction: str, rows: int, multiplier: int, image: Image, window: geometry.Window, out: Image) -> Iterator[Window]:
    """Over the flat positions where strides allow; over lines, as many registers and lines at once as sums and inputs leave room for."""
    planes = {plane: index for index, plane in enumerate(window.planes)}
    taps = tuple(planes[tap.plane] * image.channel_stride + tap.dy * image.pitch + tap.dx for tap in window.taps)
    given = {"taps": taps, "x_row_stride": len(planes) * image.channel_stride, "y_row_stride": out.channel_stride, "multiplier": multiplier}
    full = emitter.target.lanes_fp32
    if not window.strided:
        lanes = full
        while lanes > out.run:
            lanes //= 2
        masked = {"epilogue": MASKED, "operands": (Operand(0, 1),)} if out.bordered else {}
        yield Window(reduction, rows, out.run, vectors=max(1, min(4, out.run // lanes)), lanes=lanes, **masked, **given)
    lanes = _lanes_of_line(out, full)
    steps = {"x_line": window.steps[0] * image.pitch, "y_line": out.pitch, "step": window.steps[1]}
    for vectors, together in product(VECTORS, LINES):
        fits = together <= out.height and (vectors == 1 or vectors * lanes <= out.width) and 4 * vectors * together <= emitter.target.vector_registers
        if fits:
            yield Window(reduction, rows, out.width, vectors=vectors, lanes=lanes, lines=out.height, together=together, **steps, **given)


def _lanes_of_line(out: Image, lanes: int) -> int:
    """The narrowest register that holds a line, if its last may be written beyond its end; else the widest that a line fills."""
    while lanes // 2 >= out.width or (lanes > out.width and (out.height == 1 or (out.height - 1) * out.pitch + lanes > out.channel_stride)):
        lanes //= 2
    return lanes


def matrix_of(node: ir.Node, layer: Layer) -> np.ndarray:
    return layer.to_matrix(node.inputs[1].const_value.numpy()).astype(np.float32)


def image_epilogue(emitter: Emitter, task: Task, out: Image, layer: Layer | None, masked: bool = True):
    """-> (expression, operands, arguments of image n): the task's own, its bias, and the mask that keeps borders zero where a kernel writes these, too."""
    expression, operands, views = task.expression, [], []
    for value in task.operands:
        view = _row_operand(emitter, value, out, task.shape)
        views.append(view)
        operands.append(Operand(view.strides[1], view.strides[3]))
    bias = task.node.inputs[2] if layer is not None and len(task.node.inputs) > 2 else None
    if bias is not None:
        expression = substitute(expression, {0: ("add", operand(0), operand(len(views) + 1))})
        view = emitter.view(bias)
        views.append(View(view.buffer, view.offset, (1, *view.shape, 1, 1), (0, 1, 0, 0)))
        operands.append(Operand(1, 0))
    if out.bordered and masked:
        expression = ("where", operand(len(views) + 1), expression, ("const", 0.0))
        mask = emitter.mask(out)
        views.append(View(mask.buffer, mask.offset, (1, 1, 1, out.run), (0, 0, 0, 1)))
        operands.append(Operand(0, 1))
    return expression, tuple(operands), lambda n: tuple(Argument(v.buffer, v.offset + n * v.strides[0]) for v in views)


def _row_operand(emitter: Emitter, value: ir.Value, out: Image, shape: tuple[int, ...]) -> View:
    """An epilogue's tensor as [N, C, H, W] with strides of one row and one position."""
    view = emitter.view(value).broadcast(shape)
    repeated = all(n == 1 or s == 0 for n, s in zip(view.shape[2:], view.strides[2:], strict=True))
    if repeated:
        return View(view.buffer, view.offset, view.shape, (*view.strides[:2], 0, 0))
    flat = (view.shape[3] == 1 or view.strides[3] == 1) and (view.shape[2] == 1 or view.strides[2] == out.pitch)
    if flat and emitter.buffers[view.buffer].kind != "input":  # the last row is read to the end of a register
        return View(view.buffer, view.offset, view.shape, (*view.strides[:3], 1))
    return emitter.conform(view, (out.batch_stride, out.channel_stride, out.pitch, 1))
