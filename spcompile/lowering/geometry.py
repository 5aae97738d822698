"""Convolutions and pools as windows over images: which taps, at which strides, needing how much border."""

from dataclasses import dataclass

import onnx_ir as ir

from spcompile.lowering.tasks import shape_of


@dataclass(frozen=True)
class Tap:
    """Weight position (ky, kx) reads `plane` of the input at (y + dy, x + dx)."""

    plane: tuple[int, int]
    dy: int
    dx: int


@dataclass(frozen=True)
class Window:
    """A stride s is s x s phase planes of the input, each read at stride 1: plane (r, q) holds input[y * s + r, x * s + q]."""

    kernel: tuple[int, int]
    strides: tuple[int, int]
    dilations: tuple[int, int]
    pads: tuple[int, int, int, int]  # top, left, bottom, right
    in_size: tuple[int, int]
    out_size: tuple[int, int]

    @property
    def taps(self) -> tuple[Tap, ...]:
        """Row by row, as weights are stored."""
        result = []
        for ky in range(self.kernel[0]):
            for kx in range(self.kernel[1]):
                dy, ry = divmod(ky * self.dilations[0] - self.pads[0], self.strides[0])
                dx, rx = divmod(kx * self.dilations[1] - self.pads[1], self.strides[1])
                result.append(Tap((ry, rx), dy, dx))
        return tuple(result)

    @property
    def planes(self) -> tuple[tuple[int, int], ...]:
        return tuple(sorted({tap.plane for tap in self.taps}))

    @property
    def plane_size(self) -> tuple[int, int]:
        return tuple(-(-size // stride) for size, stride in zip(self.in_size, self.strides, strict=True))

    @property
    def border(self) -> tuple[int, int]:
        """Rows and columns around a plane that taps can touch."""
        (height, width), (out_height, out_width) = self.plane_size, self.out_size
        rows = [max(-tap.dy, tap.dy + out_height - height) for tap in self.taps]
        columns = [max(-tap.dx, tap.dx + out_width - width) for tap in self.taps]
        return max(0, *rows), max(0, *columns)

    @property
    def direct(self) -> bool:
        """Reads the input itself: stride 1."""
        return self.strides == (1, 1)

    def counts(self, padding: bool = False) -> list[int]:
        """Elements under the window at each output, row by row, of the input or of the padded input: what an average divides by.

        A window rounded up (ceil_mode) may reach beyond the padding too; nothing counts there.
        """

        def along(axis: int) -> list[int]:
            before, after = (self.pads[axis], self.pads[axis + 2]) if padding else (0, 0)
            inside = range(-before, self.in_size[axis] + after)
            starts = (at * self.strides[axis] - self.pads[axis] for at in range(self.out_size[axis]))
            return [sum(start + k * self.dilations[axis] in inside for k in range(self.kernel[axis])) for start in starts]

        return [rows * columns for rows in along(0) for columns in along(1)]


def window_of(node: ir.Node) -> Window:
    """The window of a Conv, AveragePool or MaxPool with explicit pads."""
    kernel = _ints(node, "kernel_shape") or shape_of(node.inputs[1])[2:]
    return Window(
        tuple(kernel),
        tuple(_ints(node, "strides") or (1, 1)),
        tuple(_ints(node, "dilations") or (1, 1)),
        tuple(_ints(node, "pads") or (0, 0, 0, 0)),
        shape_of(node.inputs[0])[2:],
        shape_of(node.outputs[0])[2:],
    )


def _ints(node: ir.Node, name: str) -> tuple[int, ...] | None:
    return tuple(node.attributes[name].as_ints()) if name in node.attributes else None
