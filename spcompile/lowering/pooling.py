"""Pools: windows that average or take the maximum, and reductions over whole images."""

import numpy as np

from spcompile.kernels.expression import constant, operand, substitute
from spcompile.kernels.operand import Operand
from spcompile.lowering.emitter import Emitter
from spcompile.lowering.linear import image_epilogue, window_kernel
from spcompile.lowering.program import Argument
from spcompile.lowering.relayout import read_image
from spcompile.lowering.tasks import Task


def lower_pool(emitter: Emitter, task: Task) -> None:
    image, window, source = read_image(emitter, task.node)
    out = emitter.plan.images[task.output]
    view = emitter.image_view(out)
    epilogue, operands, arguments = image_epilogue(emitter, task, out, None, masked=not window.strided)
    extra: tuple[Argument, ...] = ()
    if task.node.op_type == "AveragePool":
        average, operands, extra = _average(emitter, task, window, out, operands)
        epilogue = substitute(epilogue, {0: average})
    reduction = "max" if task.node.op_type == "MaxPool" else "add"
    kernel = window_kernel(emitter, reduction, out.channels, image, window, out, 1, epilogue, operands)
    for n in range(out.batch):
        x = Argument(source.buffer, source.offset + n * image.batch_stride)
        emitter.call(kernel, x, Argument(view.buffer, view.offset + n * out.batch_stride), *arguments(n), *extra)
    emitter.border(out, view, columns=window.strided, written=out.positions if window.strided else out.run)
    emitter.views[task.output] = view


def _average(emitter: Emitter, task: Task, window, out, operands):
    """Sum over the window divided by the elements under it, padding included where the node says so."""
    counts = window.counts(bool(task.node.attributes.get_int("count_include_pad", 0)))
    if len(set(counts)) == 1:
        return ("mul", operand(0), constant(1 / counts[0])), operands, ()
    reciprocal = np.zeros(out.run, np.float32)
    y, x = np.divmod(np.arange(out.positions), out.pitch)
    inside = x < out.width
    reciprocal[: out.positions][inside] = 1 / np.array(counts, np.float32).reshape(out.height, out.width)[y[inside], x[inside]]
    argument = Argument(emitter.stored(reciprocal))
    return ("mul", operand(0), operand(len(operands) + 1)), (*operands, Operand(0, 1)), (argument,)
