"""Convolutions and pools as windows over images: which taps, at which strides, needing how much border."""

from dataclasses import dataclass

import onnx_ir as ir

from spcompile.lowering.tasks import shape_of

WIDEST_STEP = 4  # columns from one output to the next, from which lanes are still picked out of registers


@dataclass(frozen=True)
class Tap:
    """Weight position (ky, kx) reads `plane` of the input at (y + dy, x + dx)."""

    plane: tuple[int, int]
    dy: int
    dx: int


@dataclass(frozen=True)
class Window:
    """A stride s is s x s phase planes of the input, each read at stride 1: plane (r, q) holds input[y * s + r, x * s + q].

    strided: the input itself is read, at the window's stride; it is then the only plane.
    """

    kernel: tuple[int, int]
    strides: tuple[int, int]
    dilations: tuple[int, int]
    pads: tuple[int, int, int, int]  # top, left, bottom, right
    in_size: tuple[int, int]
    out_size: tuple[int, int]
    strided: bool = False

    @property
    def phases(self) -> tuple[int, int]:
        """Planes there may be, down and across."""
        return (1, 1) if self.strided else self.strides

    @property
    def steps(self) -> tuple[int, int]:
        """Rows and columns of a plane from one output to the next."""
        return self.strides if self.strided else (1, 1)

    @property
    def taps(self) -> tuple[Tap, ...]:
        """Row by row, as weights are stored."""
        result = []
        for ky in range(self.kernel[0]):
            for kx in range(self.kernel[1]):
                dy, ry = divmod(ky * self.dilations[0] - self.pads[0], self.phases[0])
                dx, rx = divmod(kx * self.dilations[1] - self.pads[1], self.phases[1])
                result.append(Tap((ry, rx), dy, dx))
        return tuple(result)

    @property
    def planes(self) -> tuple[tuple[int, int], ...]:
        return tuple(sorted({tap.plane for tap in self.taps}))

    @property
    def plane_size(self) -> tuple[int, int]:
        return tuple(-(-size // stride) for size, stride in zip(self.in_size, self.phases, strict=True))

    @property
    def border(self) -> tuple[int, int]:
        """Rows and columns around a plane that taps can touch."""
        (height, width), (last_y, last_x) = self.plane_size, ((count - 1) * step for count, step in zip(self.out_size, self.steps, strict=True))
        rows = [max(-tap.dy, tap.dy + last_y + 1 - height) for tap in self.taps]
        columns = [max(-tap.dx, tap.dx + last_x + 1 - width) for tap in self.taps]
        return max(0, *rows), max(0, *columns)

    @property
    def direct(self) -> bool:
        """Reads the input itself."""
        return self.phases == (1, 1)

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
    """The window of a Conv, AveragePool or MaxPool with explicit pads. Those that look at one channel at a time read strides out of registers."""
    ints = node.attributes.get_ints  # None where there are none
    strides = tuple(ints("strides") or (1, 1))
    return Window(
        tuple(ints("kernel_shape") or shape_of(node.inputs[1])[2:]),
        strides,
        tuple(ints("dilations") or (1, 1)),
        tuple(ints("pads") or (0, 0, 0, 0)),
        shape_of(node.inputs[0])[2:],
        shape_of(node.outputs[0])[2:],
        strides != (1, 1) and strides[1] <= WIDEST_STEP and (node.op_type != "Conv" or shape_of(node.inputs[1])[1] == 1 < shape_of(node.inputs[0])[1]),
    )
