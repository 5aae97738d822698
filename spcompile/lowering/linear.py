"""Layers with constant weights: Conv, Gemm, MatMul, as calls of the gather-offset product."""

import math

import numpy as np

from spcompile.ir.layer import Layer
from spcompile.kernels.cpu.offset_gemm import OffsetGemm
from spcompile.kernels.cpu.offset_gemv import OffsetGemv
from spcompile.kernels.cpu.offset_spmm import OffsetSpmm
from spcompile.kernels.cpu.reach import LINE, Reach
from spcompile.kernels.expression import operand, substitute
from spcompile.kernels.kernel import Kernel
from spcompile.kernels.operand import Operand
from spcompile.lowering.choosing import Product, fastest
from spcompile.lowering.emitter import Emitter, pointer
from spcompile.lowering.geometry import Window
from spcompile.lowering.images import Image
from spcompile.lowering.lists import dense_lists, sparse_lists
from spcompile.lowering.program import Argument
from spcompile.lowering.relayout import read_image
from spcompile.lowering.site import Site
from spcompile.lowering.tasks import Task
from spcompile.lowering.view import View
from spcompile.lowering.windows import image_epilogue, lower_window, matrix_of


def lower_conv(emitter: Emitter, task: Task, layer: Layer) -> None:
    if layer.depthwise:
        lower_window(emitter, task, "dot", layer)
        return
    image, window, source = read_image(emitter, task.node)
    out = emitter.plan.images[task.output]
    view = emitter.image_view(out)
    epilogue, operands, arguments = image_epilogue(emitter, task, out, layer)
    offsets = column_offsets(layer, window, image)
    reach = _reach(layer, window, image)
    site = Site(
        layer.rows, layer.columns, layer.groups, out.run, (out.height, out.width, out.pitch), 1, out.channel_stride, 1,
        reach.planes * image.height * image.pitch, reach,
        epilogue, operands, out.batch, _residues(offsets, source.offset, image),
    )  # fmt: skip
    runs = [
        (Argument(source.buffer, source.offset + n * image.batch_stride), Argument(view.buffer, view.offset + n * out.batch_stride), arguments(n))
        for n in range(out.batch)
    ]
    kernel = _product(emitter, site, layer, matrix_of(task.node, layer), offsets, runs)
    pixels_only = isinstance(kernel, OffsetGemm)
    exact = pixels_only or (isinstance(kernel, OffsetSpmm) and kernel.beside)
    emitter.border(out, view, columns=pixels_only, written=out.positions if exact else out.run, layer=layer.name if pixels_only else None)
    emitter.views[task.output] = view


def column_offsets(layer: Layer, window: Window, image: Image) -> np.ndarray:
    """[groups, columns] int32: where column (tap, channel) of each group lies relative to an output position."""
    planes = {plane: index for index, plane in enumerate(window.planes)}
    taps = np.array([planes[tap.plane] * image.channel_stride + tap.dy * image.pitch + tap.dx for tap in window.taps])
    channels = np.arange(layer.groups * layer.in_channels).reshape(layer.groups, 1, layer.in_channels) * len(planes) * image.channel_stride
    return (taps[None, :, None] + channels).reshape(layer.groups, layer.columns).astype(np.int32)


def _reach(layer: Layer, window: Window, image: Image) -> Reach:
    rows, columns = (-(-size // stride) for size, stride in zip(window.kernel, window.strides, strict=True))
    return Reach(layer.in_channels * len(window.planes), image.channel_stride, rows, columns, image.pitch)


def _residues(offsets: np.ndarray, begin: int, image: Image) -> tuple[int, ...]:
    """Where in a line columns begin; () where that depends on more than the column."""
    whole = not (begin % LINE or image.batch_stride % LINE or image.channel_stride % LINE)
    return tuple(np.unique(offsets % LINE).tolist()) if whole else ()


def lower_linear(emitter: Emitter, task: Task, layer: Layer) -> None:
    """MatMul and Gemm: rows are the last axis, positions all others; rows are stored outermost so that positions lie in a row."""
    x = emitter.view(task.node.inputs[0])
    positions = math.prod(x.shape[:-1])
    flat = x.reshape((positions, layer.columns))
    if flat is None or (positions > 1 and flat.strides[0] != 1):
        x = emitter.conform(x, _rows_outermost(x.shape))
        flat = x.reshape((positions, layer.columns))
    out = emitter.compact(task.shape, _rows_outermost(task.shape))
    epilogue, operands, arguments = _linear_epilogue(emitter, task, layer, out)
    site = Site(
        layer.rows, layer.columns, 1, positions, (1, positions, positions), max(flat.strides[0], 1), positions, 1, layer.columns * positions,
        Reach(layer.columns, flat.strides[1], 1, 1, positions), epilogue, operands,
    )  # fmt: skip
    offsets = (np.arange(layer.columns) * flat.strides[1]).astype(np.int32)[None]
    _product(emitter, site, layer, matrix_of(task.node, layer), offsets, [(pointer(flat), pointer(out), arguments)])
    emitter.views[task.output] = out


def _rows_outermost(shape: tuple[int, ...]) -> tuple[int, ...]:
    positions = math.prod(shape[:-1])
    strides, step = [], positions
    for extent in shape[:-1]:
        step //= extent
        strides.append(step)
    return (*strides, positions)


def _linear_epilogue(emitter: Emitter, task: Task, layer: Layer, out: View):
    expression, operands, arguments = task.expression, [], []
    values = list(task.operands)
    if task.node.op_type == "Gemm" and len(task.node.inputs) > 2 and task.node.inputs[2] is not None:
        expression = substitute(expression, {0: ("add", operand(0), operand(len(values) + 1))})
        values.append(task.node.inputs[2])
    for value in values:
        view = emitter.view(value).broadcast(task.shape)
        if any(s for n, s in zip(view.shape[:-1], view.strides[:-1], strict=True) if n > 1):
            view = emitter.conform(view, out.strides)
            operands.append(Operand(view.strides[-1], 1))
        else:
            if emitter.buffers[view.buffer].kind == "input" or view.strides[-1] not in (0, 1):  # rows are read to the end of a register
                view = emitter.copy(view, out.strides)
            operands.append(Operand(view.strides[-1] if layer.rows > 1 else 0, 0))
        arguments.append(pointer(view))
    return expression, tuple(operands), tuple(arguments)


def _product(emitter: Emitter, site: Site, layer: Layer, matrix: np.ndarray, offsets: np.ndarray, runs) -> Kernel:
    """Choose the kernel by the zeros found in the matrix, pack, and call it once per run (x, y, operands)."""
    emitter.sites[layer.name] = site
    order = np.argsort(~matrix.any(axis=1), kind="stable").astype(np.int32)  # empty rows last
    scattered = site.scatters and bool((np.diff(order) < 0).any())
    matrix = matrix[order] if scattered else matrix
    kept = matrix != 0
    kernel, block_rows, _ = fastest(site, lambda rows: count_blocks(kept, rows), emitter.target, emitter.threads, scattered=scattered)
    kernel = emitter.pick(layer.name, Product(site, block_rows, kernel.blocks if block_rows else 0, scattered, int(kept.sum())), kernel)
    if scattered and block_rows is None:
        matrix, scattered = matrix[np.argsort(order)], False
    if isinstance(kernel, OffsetGemv) and kernel.out_rows > site.rows:
        matrix = np.pad(matrix, ((0, kernel.out_rows - site.rows), (0, 0)))
    if isinstance(kernel, OffsetGemm):
        matrix = matrix[np.add.outer(kernel.row_blocks, np.arange(kernel.rows)).ravel()]
    lists = dense_lists(kernel, matrix, offsets) if block_rows is None else sparse_lists(kernel, matrix, offsets, layer.in_channels)
    constants = [Argument(emitter.stored(array)) for array in lists]
    row_of = [Argument(emitter.stored(order))] if scattered else []
    for x, y, operands in runs:
        emitter.call(kernel, x, *constants, y, *operands, *row_of, layer=layer.name)
    return kernel


def count_blocks(kept: np.ndarray, rows: int) -> int:
    """Blocks of `rows` neighbouring rows x 1 column that keep a weight."""
    return int(kept.reshape(kept.shape[0] // rows, rows, -1).any(axis=1).sum())
