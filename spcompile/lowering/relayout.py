"""Bringing an image into the layout a window reads: a border of its own, or one plane per stride phase.

before: input[c, y, x]        after: plane (r, q) of channel c holds input[c, y * stride + r, x * stride + q]
"""

import onnx_ir as ir

from spcompile.kernels.cpu.border import Border
from spcompile.lowering.emitter import Emitter
from spcompile.lowering.geometry import Window
from spcompile.lowering.images import Image
from spcompile.lowering.program import Argument
from spcompile.lowering.view import View


def read_image(emitter: Emitter, node: ir.Node) -> tuple[Image, Window, View]:
    """The image a windowed node reads, its window, and where the image lies; relaid out on first use."""
    image, window, own = emitter.plan.source(node)
    view = emitter.image_view(image)
    if not own and image not in emitter.written:
        _relayout(emitter, emitter.view(node.inputs[0]), image, window, view)
        emitter.written.add(image)
    return image, window, view


def _relayout(emitter: Emitter, source: View, image: Image, window: Window, view: View) -> None:
    planes = window.planes
    batch, channels = source.shape[:2]
    for index, phase in enumerate(planes):
        part, sizes = source, []
        for axis, (first, stride) in enumerate(zip(phase, window.phases, strict=True), start=2):
            count = max(0, -(-(source.shape[axis] - first) // stride))
            part = part.slice(axis, first, count, stride)
            sizes.append(count)
        offset = view.offset + index * image.channel_stride
        strides = (image.batch_stride, len(planes) * image.channel_stride, image.pitch, 1)
        if all(sizes):
            emitter.elementwise(View(view.buffer, offset, (batch, channels, *sizes), strides), [part])
        _surround(emitter, image, view, index, len(planes), channels, sizes)


def _surround(emitter: Emitter, image: Image, view: View, index: int, planes: int, channels: int, sizes: list[int]) -> None:
    """Fill the border of one phase plane of all channels; a plane may be a row or a column short."""
    ragged = sizes != [image.height, image.width]
    if not image.bordered and not ragged:
        return
    height, width = sizes
    for n in range(image.batch):
        origin = view.offset + n * image.batch_stride + index * image.channel_stride
        front = image.front if index == 0 else 0
        if planes == 1:
            kernel = Border(channels, image.channel_stride, front, height, width, image.pitch, height * image.pitch, True, image.fill)
            emitter.call(kernel, Argument(view.buffer, origin - front))
            continue
        kernel = Border(channels, planes * image.channel_stride, front, height, width, image.pitch, planes * image.channel_stride, True, image.fill)
        emitter.call(kernel, Argument(view.buffer, origin - front))
        tail = image.channel_stride - height * image.pitch
        if tail:
            strides = (planes * image.channel_stride, 1)
            emitter.fill(View(view.buffer, origin + height * image.pitch, (channels, tail), strides), image.fill)
