"""Layout planning: how wide a border each image carries, and which images must share a row pitch.

A window at stride 1 maps position p of its input to position p of its output, so both have one pitch; so have the operands of
elementwise tasks. A strided one reads phase planes at stride 1, or, where it looks at one channel at a time, line by line, and pitches do
not matter. Rows share their side borders with neighbours, channels their upper and lower ones:

    before: [C, H, W] dense        after: front border, then per channel H rows of `pitch` >= W + border columns and border rows
"""

from dataclasses import dataclass, field

import onnx_ir as ir

from spcompile.kernels.expression import LOWEST
from spcompile.lowering.elementwise_ops import scalar_of
from spcompile.lowering.geometry import Window, window_of
from spcompile.lowering.tasks import Task, shape_of

RUN = 16  # elements; the widest register of any target
WINDOWED = ("Conv", "AveragePool", "MaxPool")
NEVER_NEGATIVE = ("Relu", "Sigmoid", "HardSigmoid", "Softmax", "Exp", "Abs")


@dataclass(eq=False)
class Image:
    """An image being planned; `pitch`, `channel_stride` and `front` are known after `settle`."""

    batch: int
    channels: int
    height: int
    width: int
    border_rows: int = 0
    border_columns: int = 0
    fill: float = 0.0
    parent: "Image | None" = None  # written straight into a concatenation, from channel `parent_channel` on
    parent_channel: int = 0
    lanes: int = RUN  # of the target's registers
    group: "Group" = field(default=None, repr=False)
    channel_stride: int = 0
    front: int = 0

    @property
    def pitch(self) -> int:
        return self.group.pitch

    @property
    def positions(self) -> int:
        """From the first to the last element of one channel, border columns between them included."""
        return (self.height - 1) * self.pitch + self.width

    @property
    def run(self) -> int:
        """Positions that a kernel may compute at once: whole registers, never into the next channel."""
        return self.channel_stride if self.channel_stride == 1 else min(-(-self.positions // self.lanes) * self.lanes, self.channel_stride)

    @property
    def bordered(self) -> bool:
        return self.border_rows > 0 or self.border_columns > 0

    @property
    def batch_stride(self) -> int:
        return self.front + self.channels * self.channel_stride

    @property
    def elements(self) -> int:
        """Of all batches, with room for the widest read past the end."""
        return self.batch * self.batch_stride + (self.border_rows + 1) * self.pitch + 64


@dataclass(eq=False)
class Group:
    """Images that share a pitch."""

    members: list[Image] = field(default_factory=list)
    pitch: int = 0


class ImagePlan:
    """Images by value, and those that windows need beside them (phase planes, other borders) by (value, window, fill)."""

    def __init__(self, tasks: list[Task], lanes: int = RUN):
        self._lanes = lanes
        self.images: dict[ir.Value, Image] = {}
        self.relayouts: dict[tuple, Image] = {}
        for task in tasks:
            self._visit(task)
        for task in tasks:
            if task.node is not None and task.node.op_type == "Concat":
                self._adopt(task.node)
        self._settle()

    def source(self, node: ir.Node) -> tuple[Image, Window, bool]:
        """The image a windowed node reads, its window, and whether that is the input itself rather than a relayout of it."""
        window, fill = window_of(node), _fill(node)
        value = node.inputs[0]
        if (own := self.images.get(value)) is not None and window.direct and (fill == 0.0 or window.border == (0, 0)):
            return own, window, True
        return self.relayouts[self._key(value, window, fill)], window, False

    def _key(self, value: ir.Value, window: Window, fill: float) -> tuple:
        return (value, window.phases, window.planes, fill)

    def _visit(self, task: Task) -> None:
        if task.node is not None and task.node.op_type in WINDOWED:
            self._window(task)
        elif len(task.shape) == 4 and (task.node is None or task.node.op_type == "Concat"):
            values = task.operands if task.node is None else task.node.inputs
            images = [self.images[v] for v in values if v in self.images and shape_of(v)[2:] == task.shape[2:]]
            concat = task.node is not None
            if images and (not concat or (len(images) == len(values) and task.node.attributes.get_int("axis") in (1, -3))):
                self._join(self._add(task.output), *images)

    def _window(self, task: Task) -> None:
        node, window, fill = task.node, window_of(task.node), _fill(task.node)
        value, (rows, columns) = node.inputs[0], window.border
        own = self.images.get(value)
        if own is None or not window.direct or (fill != 0.0 and window.border != (0, 0)):
            own = self.relayouts.get(self._key(value, window, fill))
            if own is None:
                own = self._new(*shape_of(value)[:2], *window.plane_size, len(window.planes), fill)
                self.relayouts[self._key(value, window, fill)] = own
        own.border_rows, own.border_columns = max(own.border_rows, rows), max(own.border_columns, columns)
        operands = [self.images[v] for v in task.operands if v in self.images and shape_of(v) == task.shape]
        self._join(self._add(task.output), *([] if window.strided else [own]), *operands)

    def _add(self, value: ir.Value) -> Image:
        self.images[value] = self._new(*shape_of(value), 1, 0.0)
        return self.images[value]

    def _new(self, batch, channels, height, width, planes, fill) -> Image:
        image = Image(batch, channels * planes, height, width, fill=fill, lanes=self._lanes)
        image.group = Group([image])
        return image

    def _join(self, *images: Image) -> None:
        first = images[0].group
        for image in images[1:]:
            if image.group is not first:
                first.members.extend(image.group.members)
                for member in image.group.members:
                    member.group = first

    def _adopt(self, node: ir.Node) -> None:
        """Inputs of a channel concatenation are written straight into it, each into one concatenation at most."""
        parent = self.images.get(node.outputs[0])
        if parent is None:
            return
        channel = 0
        for value in node.inputs:
            image = self.images[value]
            if image.parent is None and image.batch == 1 and value.producer() is not None and value.producer().op_type != "Concat":
                image.parent, image.parent_channel = parent, channel
                parent.border_rows = max(parent.border_rows, image.border_rows)
                parent.border_columns = max(parent.border_columns, image.border_columns)
            channel += image.channels

    def _settle(self) -> None:
        everyone = [*self.images.values(), *self.relayouts.values()]
        for image in everyone:
            image.group.pitch = max(image.group.pitch, image.width + image.border_columns)
        for image in everyone:
            if image.parent is None:
                single = image.positions == 1 and not image.bordered
                image.channel_stride = 1 if single else _round((image.height + image.border_rows) * image.pitch)
                image.front = _round(image.border_rows * image.pitch + image.border_columns)
        for image in everyone:
            if image.parent is not None:
                top = image.parent
                image.channel_stride, image.front = top.channel_stride, top.front
                image.border_rows, image.border_columns = top.border_rows, top.border_columns


def _round(elements: int) -> int:
    """To an odd number of cache lines: channels a power of two apart would all compete for the same few lines of a cache."""
    return (-(-elements // RUN) | 1) * RUN


def _fill(node: ir.Node) -> float:
    """What lies around the image that a window reads: nothing that could be the largest."""
    return LOWEST if node.op_type == "MaxPool" and not _never_negative(node.inputs[0]) else 0.0


def _never_negative(value: ir.Value) -> bool:
    node = value.producer()
    if node is None or node.op_type != "Clip":
        return node is not None and node.op_type in NEVER_NEGATIVE
    low, high = (scalar_of(value) for value in (*node.inputs[1:], None, None)[:2])
    return low is not None and low >= 0 and (high is None or high >= 0)  # where low exceeds high, all is high
