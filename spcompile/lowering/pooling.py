"""Pools: windows that average or take the maximum."""

import numpy as np

from spcompile.kernels.expression import Expression, constant, operand, substitute
from spcompile.kernels.operand import Operand
from spcompile.lowering.emitter import Emitter
from spcompile.lowering.geometry import Window
from spcompile.lowering.images import Image
from spcompile.lowering.program import Argument
from spcompile.lowering.tasks import Task
from spcompile.lowering.windows import lower_window


def lower_pool(emitter: Emitter, task: Task) -> None:
    if task.node.op_type == "MaxPool":
        lower_window(emitter, task, "max")
        return

    def divided(window: Window, out: Image, epilogue: Expression, operands: tuple[Operand, ...]):
        average, operands, arguments = _average(emitter, task, window, out, operands)
        return substitute(epilogue, {0: average}), operands, arguments

    lower_window(emitter, task, "add", finish=divided)


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
