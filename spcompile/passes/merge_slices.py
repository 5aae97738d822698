"""Slices of slices."""

import numpy as np
import onnx_ir as ir

from spcompile.ir.constants import add_constant, constant
from spcompile.ir.rewiring import replace, sole_reader
from spcompile.passes.base import NodePass


class MergeSlices(NodePass):
    """Before: Slice(Slice(x, axis 2), axis 3) -> after: Slice(x, axes 2 and 3). Only slices with constant bounds, and no axis twice."""

    op_types = ("Slice",)

    def rewrite(self, node: ir.Node) -> bool:
        inner = node.inputs[0].producer()
        if inner is None or inner.domain != "" or inner.op_type != "Slice" or sole_reader(inner.outputs[0]) is not node:
            return False
        bounds = [_bounds(part) for part in (inner, node)]
        if None in bounds or set(bounds[0][2].tolist()) & set(bounds[1][2].tolist()):
            return False
        joined = [np.concatenate(parts) for parts in zip(*bounds, strict=True)]
        names = ("starts", "ends", "axes", "steps")
        constants = [add_constant(node.graph, f"{node.name}_{name}", array) for name, array in zip(names, joined, strict=True)]
        replace(node, [ir.node("Slice", [inner.inputs[0], *constants], name=node.name)])
        inner.graph.remove(inner, safe=True)
        return True


def _bounds(node: ir.Node) -> tuple[np.ndarray, ...] | None:
    """(starts, ends, axes, steps), axes counted from the front; None when one of them is computed."""
    rank = len(node.inputs[0].shape)
    values = [constant(value) for value in node.inputs[1:]]
    if any(array is None for array, value in zip(values, node.inputs[1:], strict=True) if value is not None):
        return None
    starts, ends, axes, steps = [*values, None, None][:4]
    axes = np.arange(len(starts)) if axes is None else axes % rank
    steps = np.ones_like(starts) if steps is None else steps
    return tuple(np.asarray(array, np.int64) for array in (starts, ends, axes, steps))
