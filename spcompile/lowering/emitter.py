"""The state of lowering: buffers, views of every value, constants, and the steps written so far."""

import math
from typing import ClassVar

import numpy as np
import onnx_ir as ir

from spcompile.kernels.cpu.border import Border
from spcompile.kernels.cpu.elementwise import Elementwise
from spcompile.kernels.expression import ACCUMULATOR, Expression, constant
from spcompile.kernels.kernel import Kernel
from spcompile.lowering.images import Image, ImagePlan
from spcompile.lowering.program import ALIGNMENT, Argument, Buffer, Step
from spcompile.lowering.tasks import shape_of
from spcompile.lowering.tuning_store import Pick
from spcompile.lowering.view import View, ordered, row_major
from spcompile.targets.target import Target

DTYPES = {ir.DataType.FLOAT: "float32", ir.DataType.INT64: "int64", ir.DataType.INT32: "int32", ir.DataType.BOOL: "bool"}


class Emitter:
    """Filled by the operators' functions in the order of the tasks."""

    REGIONS: ClassVar[dict[str, str]] = {"float32": "values", "int32": "indices"}  # dtype of a stored array -> kind of its buffer
    WHOLE = 64  # elements: of which constants take a multiple

    def __init__(self, target: Target, threads: int, plan: ImagePlan, pick: Pick):
        self.target, self.threads, self.plan, self.pick = target, threads, plan, pick
        self.buffers: list[Buffer] = []
        self.steps: list[Step] = []
        self.views: dict[ir.Value, View] = {}
        self.sites: dict[str, object] = {}
        self.node = ""
        self._constants: dict[tuple, int] = {}
        self._arrays: dict[int, np.ndarray] = {}
        self._image_buffers: dict[Image, int] = {}
        self.written: set[Image] = set()  # relayouts done

    # ---- buffers and constants -------------------------------------------------------------------------------------------

    def buffer(self, kind: str, elements: int, dtype: str = "float32", index: int = 0) -> int:
        self.buffers.append(Buffer(kind, elements, dtype, index))
        return len(self.buffers) - 1

    def compact(self, shape: tuple[int, ...], strides: tuple[int, ...] | None = None) -> View:
        """A new workspace tensor; row-major unless strides are given."""
        # Whole registers may be written behind the last element of a vector of rows.
        elements = -(-math.prod(shape) // 64) * 64
        return View(self.buffer("workspace", elements), 0, tuple(shape), strides or row_major(tuple(shape)))

    def reshaped(self, view: View, shape: tuple[int, ...]) -> View:
        """The same elements in another shape: a view where strides allow, else of a compact copy."""
        found = view.reshape(shape)
        if found is not None:
            return found
        copy = self.compact(view.shape)
        self.elementwise(copy, [view])
        return copy.reshape(shape)

    def stored(self, array: np.ndarray) -> int:
        """A buffer that holds the array, whose dtype `REGIONS` names; equal arrays are stored once."""
        key = (array.dtype.name, array.shape, array.tobytes())
        if key not in self._constants:
            elements = -(-array.size // self.WHOLE) * self.WHOLE
            self._constants[key] = self.buffer(self.REGIONS[array.dtype.name], elements, array.dtype.name)
            self._arrays[self._constants[key]] = array.ravel()
        return self._constants[key]

    def constant_regions(self) -> tuple[dict[int, int], dict[str, np.ndarray]]:
        """-> (buffer -> start, region -> array)."""
        starts, arrays = {}, {}
        for dtype, region in self.REGIONS.items():
            members = [(index, buffer) for index, buffer in enumerate(self.buffers) if buffer.kind == region]
            whole, at = np.zeros(sum(buffer.elements for _, buffer in members) + ALIGNMENT, dtype), 0
            for index, buffer in members:
                starts[index] = at
                whole[at : at + self._arrays[index].size] = self._arrays[index]
                at += buffer.elements
            arrays[region] = whole
        return starts, arrays

    # ---- values ----------------------------------------------------------------------------------------------------------

    def view(self, value: ir.Value) -> View:
        """Where a value lies; constants are stored on first use."""
        if value not in self.views:
            assert value.const_value is not None, f"{value.name} is used before it is computed"
            array = value.const_value.numpy()
            stored = self.stored(np.ascontiguousarray(array, np.float32))
            self.views[value] = View(stored, 0, shape_of(value), row_major(shape_of(value)))
        return self.views[value]

    def image_view(self, image: Image) -> View:
        """The view [N, C, H, W] of an image, its buffer made on first use."""
        top = image.parent or image
        if top not in self._image_buffers:
            self._image_buffers[top] = self.buffer("workspace", top.elements)
        offset = top.front + image.parent_channel * top.channel_stride
        strides = (top.batch_stride, image.channel_stride, image.pitch, 1)
        return View(self._image_buffers[top], offset, (image.batch, image.channels, image.height, image.width), strides)

    # ---- steps -----------------------------------------------------------------------------------------------------------

    def call(self, kernel: Kernel, *arguments: Argument, layer: str | None = None) -> None:
        self.steps.append(Step(kernel, arguments, self.node, layer))

    def elementwise(self, out: View, inputs: list[View], expression: Expression = ACCUMULATOR) -> None:
        """out[...] = expression(inputs[...]), inputs broadcast to out's shape."""
        inputs = [view.broadcast(out.shape) for view in inputs]
        kernel = Elementwise.over(
            out.shape, out.strides, [view.strides for view in inputs], expression, self.target.lanes_fp32, [view.dtype for view in inputs]
        )
        self.call(kernel, pointer(out), *(pointer(view) for view in inputs))

    def fill(self, out: View, number: float) -> None:
        self.elementwise(out, [], constant(number))

    def conform(self, view: View, strides: tuple[int, ...]) -> View:
        """The same tensor with these strides: itself where they hold already, else a copy."""
        if all(n == 1 or s == t for n, s, t in zip(view.shape, view.strides, strides, strict=True)):
            return view
        return self.copy(view, strides)

    def copy(self, view: View, strides: tuple[int, ...]) -> View:
        copy = View(self.buffer("workspace", sum((n - 1) * s for n, s in zip(view.shape, strides, strict=True)) + 64), 0, view.shape, strides)
        self.elementwise(copy, [view])
        return copy

    def like(self, shape: tuple[int, ...], views: list[View]) -> View:
        """A compact tensor in the axis order of the first view of that shape."""
        for view in views:
            if view.shape == shape and 0 not in view.strides:
                return self.compact(shape, ordered(shape, view.strides))
        return self.compact(shape)

    def border(self, image: Image, view: View, columns: bool, written: int | None = None, layer: str | None = None) -> None:
        """Fill an image's border after its inside was written; `columns` False where a kernel has masked them. layer: whose choice of kernel asks for it."""
        if not image.bordered:
            return
        written = image.positions if written is None else written
        # No more than taps can touch: before a part of a concatenation lie its neighbour's elements.
        front = image.border_rows * image.pitch + image.border_columns
        kernel = Border(image.channels, image.channel_stride, front, image.height, image.width, image.pitch, written, columns, image.fill)
        for n in range(image.batch):
            self.call(kernel, Argument(view.buffer, view.offset + n * image.batch_stride - front), layer=layer)

    def mask(self, image: Image) -> View:
        """[run] 1 at positions inside the image, 0 at border columns between rows and behind the last."""
        inside = np.zeros(image.run, np.float32)
        at = np.arange(image.positions)
        inside[: image.positions] = at % image.pitch < image.width
        return View(self.stored(inside), 0, (image.run,), (1,))


def pointer(view: View) -> Argument:
    return Argument(view.buffer, view.offset)
