"""A pool that rounds up has no window that begins behind the image."""

import numpy as np
import onnx_ir as ir

from spcompile.ir.constants import add_constant
from spcompile.ir.input_shapes import fix_input_shapes
from spcompile.ir.shape_inference import infer_shapes
from spcompile.passes.base import Pass, nodes_of

POOLS = ("AveragePool", "MaxPool")


class DropEmptyWindows(Pass):
    """Before: MaxPool<ceil_mode=1, kernel_shape=[1], strides=[3]>(x [1, 1, 8]) -> after: the same of Slice(x, ends=7, axes=2); pads go first.

    Engines leave a last window out that begins behind the image and its first padding, and so does ONNX since opset 22 (MaxPool, AveragePool); what it
    infers for older models counts that window. What it alone would reach is taken away, so that all count the same.
    """

    def apply(self, model: ir.Model) -> bool:
        found = [node for node in nodes_of(model, POOLS) if node.attributes.get_int("ceil_mode", 0)]
        if found:
            infer_shapes(model)
        changed = [node for node in found if _shrink(model, node)]
        return bool(changed)


def _shrink(model: ir.Model, node: ir.Node) -> bool:
    x, same = node.inputs[0], node.attributes.get_string("auto_pad", "NOTSET").startswith("SAME")
    if same or len(node.outputs) > 1 or x.shape is None or not x.shape.is_static():
        return False
    surplus = [_surplus(node, axis) for axis in range(len(x.shape) - 2)]
    if not any(surplus):
        return False
    pads = list(node.attributes.get_ints("pads", [0] * 2 * len(surplus)))
    ends = pads[len(surplus) :]
    node.attributes.add(ir.AttrInt64s("pads", pads[: len(surplus)] + [max(0, end - n) for end, n in zip(ends, surplus, strict=True)]))
    node.attributes.pop("auto_pad", None)
    _crop(node, [max(0, n - end) for end, n in zip(ends, surplus, strict=True)])
    fix_input_shapes(model)  # what follows from the pool is smaller, too
    return True


def _surplus(node: ir.Node, axis: int) -> int:
    """Elements, padding included, that only a window without any of the image's would reach; 0 where there is no such window."""
    count = len(node.inputs[0].shape) - 2
    size, kernel = node.inputs[0].shape.numpy()[2 + axis], node.attributes.get_ints("kernel_shape")[axis]
    stride, dilation = (node.attributes.get_ints(name, [1] * count)[axis] for name in ("strides", "dilations"))
    pads = node.attributes.get_ints("pads", [0] * 2 * count)
    begin, end, reach = pads[axis], pads[count + axis], dilation * (kernel - 1) + 1
    last = -(-(begin + size + end - reach) // stride)  # windows are counted from 0
    return begin + size + end - (last - 1) * stride - reach if last * stride >= begin + size else 0


def _crop(node: ir.Node, ends: list[int]) -> None:
    """Take so many elements from the end of each axis of the input."""
    if not any(ends):
        return
    x = node.inputs[0]
    sizes = x.shape.numpy()[2:]
    starts, stops = [0] * len(ends), [size - end for size, end in zip(sizes, ends, strict=True)]
    bounds = [starts, stops, [2 + axis for axis in range(len(ends))]]
    constants = [
        add_constant(node.graph, f"{node.outputs[0].name}_{name}", np.array(numbers)) for name, numbers in zip(("starts", "ends", "axes"), bounds, strict=True)
    ]
    crop = ir.node("Slice", [x, *constants], name=f"{node.name or node.outputs[0].name}_crop")
    crop.outputs[0].type, crop.outputs[0].shape = x.type, ir.Shape([*x.shape.numpy()[:2], *stops])
    node.graph.insert_before(node, crop)
    node.replace_input_with(0, crop.outputs[0])
