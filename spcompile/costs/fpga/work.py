"""What an accelerator is given to do: one layer as products of packed rows with windows of an image, sizes only."""

import math
from dataclasses import dataclass

from spcompile.costs.fpga.cycles import column_steps, lanes_used
from spcompile.formats.grouped import place_bits
from spcompile.ir.layer import Layer
from spcompile.targets.accelerator import Accelerator

ROW_BYTES = 8  # of a row: int8 has bias (4), factor (2), shift (1), one that is not used; bf16 has bias (4), four that are not used


@dataclass(frozen=True)
class Work:
    """rows, columns: of one group of channels (Conv's `group`); rows without weights do not count, their numbers were written before.

    slots[t]: weights that each group of `of` columns keeps room for in row tile t.
    Images are channels-last: in_size and out_size are (height, width); a matrix product is an image one pixel high.
    """

    rows: int
    columns: int
    of: int
    slots: tuple[int, ...]
    in_size: tuple[int, int]
    out_size: tuple[int, int]
    in_channels: int  # of one group of channels
    kernel: tuple[int, int] = (1, 1)
    strides: tuple[int, int] = (1, 1)
    dilations: tuple[int, int] = (1, 1)
    groups: int = 1

    def __post_init__(self):
        assert self.slots and all(1 <= slots <= self.of for slots in self.slots), self

    @property
    def positions(self) -> int:
        return self.out_size[0] * self.out_size[1]

    @property
    def column_groups(self) -> int:
        return -(-self.columns // self.of)

    @property
    def macs(self) -> int:
        """Of the dense layer."""
        return self.rows * self.columns * self.positions * self.groups

    def steps(self, tile: int, target: Accelerator) -> int:
        """Windows of each position in one row tile."""
        return column_steps(self.column_groups, self.of, self.slots[tile], target)

    def weight_bytes(self, tile: int, steps: int, target: Accelerator) -> int:
        """Packed values and places of so many windows of one row tile."""
        values = steps * target.array_rows * lanes_used(self.of, self.slots[tile], target)
        return values * target.number_bytes + -(-values * place_bits(self.of) // 8)

    def input_bytes(self, positions: int, target: Accelerator) -> int:
        """Of the image under so many neighbouring outputs: whole rows of outputs, or a part of one."""
        width = self.out_size[1]
        rows = -(-positions // width)
        high = self._reach(rows, 0)
        wide = self.in_size[1] if positions >= width else self._reach(positions, 1)
        return high * wide * self.in_channels * target.number_bytes

    def _reach(self, outputs: int, axis: int) -> int:
        return min(self.in_size[axis], span(outputs, self.strides[axis], self.kernel[axis], self.dilations[axis]))


def span(outputs: int, stride: int, taps: int, dilation: int) -> int:
    """Inputs from the first to the last that neighbouring outputs see, along one axis."""
    return (outputs - 1) * stride + (taps - 1) * dilation + 1


def work_of(layer: Layer, in_shape: tuple[int, ...], out_shape: tuple[int, ...], rows: int, of: int, slots: tuple[int, ...]) -> Work:
    """rows: that the array computes, of one group. in_shape, out_shape: of the layer's activations, channels first for Conv.

    A batch stands on top of itself: more rows of the image.
    """
    if layer.op_type == "Conv":
        batch, sizes = in_shape[0], (in_shape[2:], out_shape[2:])
        in_size, out_size = ((batch * size[0], size[1]) for size in sizes)
        shape = {"kernel": layer.kernel, "strides": layer.strides, "dilations": layer.dilations}
    else:
        in_size = out_size = (1, layer.positions)
        shape = {}
    return Work(rows, layer.columns, of, slots, tuple(in_size), tuple(out_size), layer.in_channels, groups=layer.groups, **shape)


def row_tiles(rows: int, target: Accelerator) -> int:
    """How many times the array's rows go into a layer's."""
    return math.ceil(rows / target.array_rows)
