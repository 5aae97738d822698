"""A transposed convolution is a convolution that gives every phase of its stride as channels of their own."""

import math
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from spcompile.ir.constants import constant
from spcompile.ir.rewiring import replace
from spcompile.ir.writer import Writer
from spcompile.passes.base import NodePass, nodes_of


class SplitTransposed(NodePass):
    """Before: ConvTranspose<strides=[2, 2]>(x) -> after: Slice(Reshape(Transpose(Reshape(Conv(x))))), whose Conv gives 2 x 2 pixels as channels.

    Pixel s q + r of an axis, before it is cropped, is the sum over j of tap r + s j times pixel q - j of x: for each r a convolution of ceil(k / s) taps
    (Shi et al. 2016, "Is the deconvolution layer the same as a convolutional layer?").
    """

    op_types = ("ConvTranspose",)

    def rewrite(self, node: ir.Node) -> bool:
        if not _is_split(node):
            return False
        axes, writer = _axes(node), Writer(node)
        image = writer.op("Conv", *_inputs(writer, axes), name=node.name, **_attributes(node, axes))
        if any(axis.stride > 1 for axis in axes):
            image = _side_by_side(writer, image, axes)
        if any(axis.crop or axis.stride * axis.count != axis.result for axis in axes):
            starts, ends = [axis.crop for axis in axes], [axis.crop + axis.result for axis in axes]
            image = writer.op("Slice", image, *(writer.held("crop", ints) for ints in (starts, ends, [2, 3])))
        replace(node, writer.nodes)
        return True

    def ensures(self, model: ir.Model) -> None:
        assert not any(_is_split(node) for node in nodes_of(model, self.op_types))


@dataclass(frozen=True)
class _Axis:
    """One axis of an image. Of the result before it is cropped, pixels from `cut` on are wanted."""

    size: int
    result: int
    stride: int
    taps: int  # those between dilated ones, which are zero, included
    cut: int

    @property
    def reach(self) -> int:
        """Taps of each phase."""
        return -(-self.taps // self.stride)

    @property
    def left_out(self) -> int:
        """Groups of `stride` pixels in front that are not computed: as many as are cut, and need nothing but padding."""
        return min(self.cut // self.stride, self.reach - 1)

    @property
    def pads(self) -> tuple[int, int]:
        return self.reach - 1 - self.left_out, max(0, -(-(self.cut + self.result) // self.stride) - self.size)

    @property
    def count(self) -> int:
        """Groups that are computed."""
        return self.size + sum(self.pads) - self.reach + 1

    @property
    def crop(self) -> int:
        return self.cut - self.stride * self.left_out


def _is_split(node: ir.Node) -> bool:
    """Not where an odd padding is to be shared out: ONNX's text and ONNX Runtime give the larger part to different ends."""
    weight, bias = constant(node.inputs[1]), node.inputs[2] if len(node.inputs) > 2 else None
    fixed = weight is not None and weight.ndim == 4 and (bias is None or constant(bias) is not None)
    return fixed and (not _is_shared_out(node) or all(total >= 0 and total % 2 == 0 for total in _paddings(node)))


def _is_shared_out(node: ir.Node) -> bool:
    return "output_shape" in node.attributes or node.attributes.get_string("auto_pad", "NOTSET").startswith("SAME")


def _paddings(node: ir.Node) -> list[int]:
    """Of each axis, begin and end together."""
    dilations, strides, extra = (node.attributes.get_ints(name, (default,) * 2) for name, default in (("dilations", 1), ("strides", 1), ("output_padding", 0)))
    sizes, results, kernel = (value.shape.numpy()[2:] for value in (node.inputs[0], node.outputs[0], node.inputs[1]))
    return [s * (n - 1) + more + (k - 1) * d + 1 - y for n, y, k, s, d, more in zip(sizes, results, kernel, strides, dilations, extra, strict=True)]


def _axes(node: ir.Node) -> list[_Axis]:
    begins = [total // 2 for total in _paddings(node)] if _is_shared_out(node) else node.attributes.get_ints("pads", (0, 0))[:2]
    strides, dilations = (node.attributes.get_ints(name, (1, 1)) for name in ("strides", "dilations"))
    sizes, results, kernel = (value.shape.numpy()[2:] for value in (node.inputs[0], node.outputs[0], node.inputs[1]))
    return [_Axis(n, y, s, (k - 1) * d + 1, cut) for n, y, s, k, d, cut in zip(sizes, results, strides, kernel, dilations, begins, strict=True)]


def _attributes(node: ir.Node, axes: list[_Axis]) -> dict[str, int | list[int]]:
    before, after = zip(*(axis.pads for axis in axes), strict=True)
    return {"group": node.attributes.get_int("group", 1), "pads": [*before, *after], "kernel_shape": [axis.reach for axis in axes]}


def _inputs(writer: Writer, axes: list[_Axis]) -> list[ir.Value]:
    """x, a weight of shape [out channels x phases, in channels of a group, taps of a phase ...] and a bias for each of its rows."""
    node = writer.node
    groups, phases = node.attributes.get_int("group", 1), math.prod(axis.stride for axis in axes)
    weight = _spread(constant(node.inputs[1]), node.attributes.get_ints("dilations", (1, 1)), axes)
    (reach_h, step_h), (reach_w, step_w) = ((axis.reach, axis.stride) for axis in axes)
    parts = weight.reshape(groups, weight.shape[0] // groups, weight.shape[1], reach_h, step_h, reach_w, step_w)
    rows = parts[:, :, :, ::-1, :, ::-1].transpose(0, 2, 4, 6, 1, 3, 5).reshape(-1, weight.shape[0] // groups, reach_h, reach_w)
    biases = constant(node.inputs[2]) if len(node.inputs) > 2 else None
    return [node.inputs[0], writer.held("weight", rows), *([] if biases is None else [writer.held("bias", np.repeat(biases, phases))])]


def _spread(weight: np.ndarray, dilations: list[int], axes: list[_Axis]) -> np.ndarray:
    """Zeros between dilated taps, and behind the last up to a whole number of strides."""
    spread = np.zeros((*weight.shape[:2], *(axis.reach * axis.stride for axis in axes)), np.float32)
    spread[:, :, : axes[0].taps : dilations[0], : axes[1].taps : dilations[1]] = weight
    return spread


def _side_by_side(writer: Writer, image: ir.Value, axes: list[_Axis]) -> ir.Value:
    """[N, C s_h s_w, H, W] -> [N, C, H s_h, W s_w]."""
    batch, channels = writer.node.outputs[0].shape.numpy()[:2]
    (step_h, height), (step_w, width) = ((axis.stride, axis.count) for axis in axes)
    apart = writer.op("Reshape", image, writer.held("apart", [batch, channels, step_h, step_w, height, width]))
    beside = writer.op("Transpose", apart, perm=[0, 1, 4, 2, 5, 3])
    return writer.op("Reshape", beside, writer.held("beside", [batch, channels, height * step_h, width * step_w]))
