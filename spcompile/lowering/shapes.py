"""Operators that move no data, or only copy: reshape, transpose, slice, split, concatenate, pad, expand, resize."""

import numpy as np
import onnx_ir as ir

from spcompile.lowering.emitter import Emitter
from spcompile.lowering.tasks import Task, shape_of
from spcompile.lowering.view import View


def lower_reshape(emitter: Emitter, task: Task) -> None:
    """Reshape, Flatten, Squeeze, Unsqueeze, Identity."""
    emitter.views[task.output] = emitter.reshaped(emitter.view(task.node.inputs[0]), task.shape)


def lower_transpose(emitter: Emitter, task: Task) -> None:
    view = emitter.view(task.node.inputs[0])
    backwards = tuple(reversed(range(len(view.shape))))
    emitter.views[task.output] = view.transpose(task.node.attributes.get_ints("perm", backwards))


def lower_expand(emitter: Emitter, task: Task) -> None:
    emitter.views[task.output] = emitter.view(task.node.inputs[0]).broadcast(task.shape)


def lower_slice(emitter: Emitter, task: Task) -> None:
    """Slice with constant starts, ends, axes, steps (ONNX reference: negative counts from the end, out of range is clamped)."""
    view = emitter.view(task.node.inputs[0])
    rank = len(view.shape)
    starts, ends, axes, steps = (_integers(task.node, index) for index in (1, 2, 3, 4))
    axes = axes or list(range(len(starts)))
    for start, end, axis, step in zip(starts, ends, axes, steps or [1] * len(starts), strict=True):
        kept = range(*slice(start, end if abs(end) < 1 << 31 else None, step).indices(view.shape[axis % rank]))
        view = view.slice(axis % rank, kept.start, len(kept), step)
    emitter.views[task.output] = view


def lower_split(emitter: Emitter, task: Task) -> None:
    view = emitter.view(task.node.inputs[0])
    axis = task.node.attributes.get_int("axis", 0) % len(view.shape)
    start = 0
    for output in task.node.outputs:
        count = shape_of(output)[axis]
        emitter.views[output] = view.slice(axis, start, count)
        start += count


def lower_concat(emitter: Emitter, task: Task) -> None:
    """Inputs that were written in place cost nothing; others are copied to theirs."""
    axis = task.node.attributes.get_int("axis", 0) % len(task.shape)
    image = emitter.plan.images.get(task.output)
    views = [emitter.view(value) for value in task.node.inputs]
    out = emitter.image_view(image) if image is not None else emitter.compact(task.shape)
    start, copied = 0, False
    for value, view in zip(task.node.inputs, views, strict=True):
        count = view.shape[axis]
        own = emitter.plan.images.get(value)
        if image is None or own is None or own.parent is not image or own.parent_channel != start:
            emitter.elementwise(out.slice(axis, start, count), [view])
            copied = True
        start += count
    if image is not None and copied:
        emitter.border(image, out, columns=True)
    emitter.views[task.output] = out


def lower_pad(emitter: Emitter, task: Task) -> None:
    """Constant padding, also negative (cropping)."""
    view = emitter.view(task.node.inputs[0])
    pads = _integers(task.node, 1)
    rank = len(view.shape)
    axes = _integers(task.node, 3) or list(range(rank))
    number = task.node.inputs[2].const_value.numpy().item() if len(task.node.inputs) > 2 and task.node.inputs[2] is not None else 0.0
    before, after = [0] * rank, [0] * rank
    for place, axis in enumerate(axes):
        before[axis % rank], after[axis % rank] = pads[place], pads[place + len(axes)]
    out = emitter.compact(task.shape)
    emitter.fill(out, number)
    inside = out
    for axis in range(rank):
        view = view.slice(axis, max(0, -before[axis]), view.shape[axis] - max(0, -before[axis]) - max(0, -after[axis]))
        inside = inside.slice(axis, max(0, before[axis]), view.shape[axis])
    if 0 not in view.shape:  # cropping may leave nothing of it
        emitter.elementwise(inside, [view])
    emitter.views[task.output] = out


def lower_resize(emitter: Emitter, task: Task) -> None:
    """Nearest neighbour by whole factors: each element is read `factor` times (stride 0)."""
    view = emitter.view(task.node.inputs[0])
    out = emitter.compact(task.shape)
    shape, x_strides, y_strides = [], [], []
    for extent, wide, x_stride, y_stride in zip(view.shape, task.shape, view.strides, out.strides, strict=True):
        factor = wide // extent
        shape += [extent, factor]
        x_strides += [x_stride, 0]
        y_strides += [y_stride * factor, y_stride]
    source = View(view.buffer, view.offset, tuple(shape), tuple(x_strides))
    emitter.elementwise(View(out.buffer, out.offset, tuple(shape), tuple(y_strides)), [source])
    emitter.views[task.output] = out


def lower_depth_to_space(emitter: Emitter, task: Task) -> None:
    """[N, C, H, W] -> [N, C / b^2, H b, W b], mode DCR or CRD, as reshape, transpose, reshape."""
    view = emitter.view(task.node.inputs[0])
    size = task.node.attributes.get_int("blocksize")
    n, c, h, w = view.shape
    crd = task.node.attributes.get_string("mode", "DCR") == "CRD"
    split, order = ((n, c // size**2, size, size, h, w), (0, 1, 4, 2, 5, 3)) if crd else ((n, size, size, c // size**2, h, w), (0, 3, 4, 1, 5, 2))
    parts = view.reshape(split)
    assert parts is not None, "channels and pixels are separate axes"
    moved = parts.transpose(order)
    copy = emitter.compact(moved.shape)
    emitter.elementwise(copy, [moved])
    emitter.views[task.output] = copy.reshape(task.shape)


def _integers(node: ir.Node, index: int) -> list[int]:
    if len(node.inputs) <= index or node.inputs[index] is None:
        return []
    return [int(number) for number in np.atleast_1d(node.inputs[index].const_value.numpy())]


OPERATORS = {
    "Concat": lower_concat,
    "DepthToSpace": lower_depth_to_space,
    "Expand": lower_expand,
    "Flatten": lower_reshape,
    "Identity": lower_reshape,
    "Pad": lower_pad,
    "Reshape": lower_reshape,
    "Resize": lower_resize,
    "Slice": lower_slice,
    "Split": lower_split,
    "Squeeze": lower_reshape,
    "Transpose": lower_transpose,
    "Unsqueeze": lower_reshape,
}
