"""The bf16 network as plain ONNX. Activations are fp32 tensors that hold bf16 numbers.

Products of bf16 numbers are exact in doubles, and their sums there too close to exact for any order of adding to show in bf16: so products are matrix
products of doubles, which every engine has, over windows cut out with Slice.
"""

from collections.abc import Iterator
from functools import cached_property

import numpy as np
from onnx import TensorProto

from spcompile.accelerator.partition import ADD, ARRAY, AVERAGE_POOL, CONCAT, DEPTHWISE, HOST, Step
from spcompile.accelerator.reference_builder import ReferenceBuilder
from spcompile.costs.fpga.work import span

ROUNDED = "@bf16"  # ends the name of a host's activation in the accelerator's numbers


class Bf16Reference(ReferenceBuilder):
    """An activation that a step of the accelerator made is rounded already."""

    def _real(self, name: str) -> str:
        return name

    def _numbers(self, name: str) -> str:
        if name in self.rounded:
            return name
        if name + ROUNDED not in self.made:
            self._round(name, name + ROUNDED)
            self.made.add(name + ROUNDED)
        return name + ROUNDED

    @cached_property
    def rounded(self) -> set[str]:
        return {name for step in self.network.steps if step.unit != HOST for name in step.outputs}

    def _round(self, name: str, output: str) -> str:
        return self._node("Cast", [self._node("Cast", [name], f"{output}@short", to=TensorProto.BFLOAT16)], output, to=TensorProto.FLOAT)

    def _double(self, name: str) -> str:
        if f"{name}@double" not in self.made:
            self._node("Cast", [name], f"{name}@double", to=TensorProto.DOUBLE)
            self.made.add(f"{name}@double")
        return f"{name}@double"

    def _accelerated(self, step: Step) -> None:
        numbers, output = [self._numbers(name) for name in step.inputs], step.outputs[0]
        if step.unit in (ARRAY, DEPTHWISE):
            self._product(step, numbers[0], output)
        elif step.unit == ADD:
            self._finished(step, self._node("Add", numbers, f"{step.name}@sum"), output)
        elif step.unit == CONCAT:
            self._node("Concat", numbers, output, axis=1)
        elif step.unit == AVERAGE_POOL:
            self._average(step, numbers[0], output)
        else:
            self._same_node(step, numbers[0], output)

    def _finished(self, step: Step, name: str, output: str) -> None:
        """fp32 -> within the step's limits, rounded."""
        least, most = (self._constant(f"{step.name}@{which}", np.float32(limit)) if limit is not None else "" for which, limit in enumerate(step.limits))
        if least or most:
            name = self._node("Clip", [name, least, most], f"{step.name}@limited")
        self._round(name, output)

    def _average(self, step: Step, numbers: str, output: str) -> None:
        height, width = self.network.shapes[step.inputs[0]][2:]
        keep = int(len(self.network.shapes[step.outputs[0]]) == 4)
        total = self._node("ReduceSum", [self._double(numbers), self._constant("@spatial", np.array([2, 3], np.int64))], f"{step.name}@total", keepdims=keep)
        mean = self._node("Div", [total, self._constant(f"{step.name}@size", np.float64(height * width))], f"{step.name}@mean")
        self._finished(step, self._node("Cast", [mean], f"{step.name}@single", to=TensorProto.FLOAT), output)

    def _product(self, step: Step, numbers: str, output: str) -> None:
        found, layer, shape = self.network.weights[step.name], step.layer, self.network.shapes[step.outputs[0]]
        matrix, biases = found.matrix.astype(np.float64), found.biases.astype(np.float64)
        if layer.op_type != "Conv":
            rows = self._reshaped(self._double(numbers), (layer.positions, layer.columns), f"{step.name}@rows")
            sums = self._node("MatMul", [rows, self._constant(f"{step.name}@weight", matrix.T)], f"{step.name}@product")
        else:
            sums, biases = self._convolved(step, numbers, matrix), biases.reshape(-1, 1)
        sums = self._node("Add", [sums, self._constant(f"{step.name}@bias", biases)], f"{step.name}@biased")
        single = self._node("Cast", [sums], f"{step.name}@sum", to=TensorProto.FLOAT)
        self._finished(step, self._reshaped(single, shape, f"{step.name}@shaped"), output)

    def _reshaped(self, name: str, shape: tuple[int, ...], output: str) -> str:
        return self._node("Reshape", [name, self._constant(f"{output}@shape", np.array(shape, np.int64))], output)

    def _convolved(self, step: Step, numbers: str, matrix: np.ndarray) -> str:
        """-> [batch, rows, positions]; matrix [rows, columns], in-channels of a group neighbouring, taps outside."""
        layer, batch = step.layer, self.network.shapes[step.inputs[0]][0]
        seen, positions = list(self._taps(step, numbers)), int(np.prod(self.network.shapes[step.outputs[0]][2:]))
        if step.unit == DEPTHWISE:
            return self._depthwise(step, seen, matrix, (batch, layer.rows, positions))
        parts = []
        for group, weights in enumerate(matrix.reshape(layer.groups, -1, layer.columns)):
            channels = [self._channels(tap, group, layer.in_channels) if layer.groups > 1 else tap for tap in seen]
            stacked = self._node("Concat", channels, f"{step.name}@windows{group}", axis=1) if len(channels) > 1 else channels[0]
            flat = self._reshaped(stacked, (batch, layer.columns, positions), f"{step.name}@flat{group}")
            weight = self._constant(f"{step.name}@weight{group}", weights)
            parts.append(self._node("MatMul", [weight, self._double(flat)], f"{step.name}@product{group}"))
        return self._node("Concat", parts, f"{step.name}@product", axis=1) if len(parts) > 1 else parts[0]

    def _depthwise(self, step: Step, seen: list[str], matrix: np.ndarray, shape: tuple[int, ...]) -> str:
        total = ""
        for at, tap in enumerate(seen):
            weight = self._constant(f"{step.name}@weight{at}", matrix[:, at].reshape(1, -1, 1, 1))
            part = self._node("Mul", [self._double(tap), weight], f"{step.name}@part{at}")
            total = self._node("Add", [total, part], f"{step.name}@total{at}") if total else part
        return self._reshaped(total, shape, f"{step.name}@flat")

    def _channels(self, name: str, group: int, count: int) -> str:
        return self._slice(name, (group * count,), ((group + 1) * count,), (1,), (1,), f"{name}@group{group}")

    def _taps(self, step: Step, numbers: str) -> Iterator[str]:
        """What each tap of the kernel sees of every position, [batch, channels, height, width] of the result."""
        layer = step.layer
        sizes, outs = self.network.shapes[step.inputs[0]][2:], self.network.shapes[step.outputs[0]][2:]
        before = layer.pads[:2]
        after = [max(0, span(*axis) - size - pad) for *axis, size, pad in zip(outs, layer.strides, layer.kernel, layer.dilations, sizes, before, strict=True)]
        if any((*before, *after)):
            pads = self._constant(f"{step.name}@pads", np.array([0, 0, *before, 0, 0, *after], np.int64))
            numbers = self._node("Pad", [numbers, pads], f"{step.name}@padded")
        for at in np.ndindex(*layer.kernel):
            starts = [place * dilation for place, dilation in zip(at, layer.dilations, strict=True)]
            ends = [start + (out - 1) * stride + 1 for start, out, stride in zip(starts, outs, layer.strides, strict=True)]
            yield self._slice(numbers, starts, ends, (2, 3), layer.strides, f"{step.name}@tap{at[0]}.{at[1]}")

    def _slice(self, name: str, starts, ends, axes, steps, output: str) -> str:
        parts = (("starts", starts), ("ends", ends), ("axes", axes), ("steps", steps))
        return self._node("Slice", [name, *(self._constant(f"{output}@{what}", np.array(numbers, np.int64)) for what, numbers in parts)], output)
