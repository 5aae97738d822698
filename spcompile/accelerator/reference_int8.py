"""The int8 network as plain ONNX that computes the accelerator's numbers to the bit.

Products and sums of int8 numbers are exact in fp32 below 2^24, and requantisation is exact in doubles: see `numbers`.
"""

from collections.abc import Iterator

import numpy as np
import onnx
from onnx import TensorProto, helper

from spcompile.accelerator.numbers import HIGH, LOW, SHIFT_OF_SUMS
from spcompile.accelerator.partition import ADD, ARRAY, AVERAGE_POOL, CONCAT, DEPTHWISE, Step
from spcompile.accelerator.quantised import Quantised
from spcompile.accelerator.reference_builder import ReferenceBuilder

EXACT = 1 << 24
INT8 = "@int8"  # ends the name of an activation in the accelerator's numbers


class Int8Reference(ReferenceBuilder):
    """Each activation is made in fp32 or int8 when it is first asked for so."""

    def _real(self, name: str) -> str:
        """Written out: engines may put one integer operator in the place of DequantizeLinear, an operator and QuantizeLinear, and round otherwise."""
        if name not in self.made:
            affine, numbers = self.network.affines[name], f"{name}{INT8}"
            self._node("Mul", [self._centred(name, numbers), self._constant(f"{name}@scale", np.float32(affine.scale))], name)
            self.made.add(name)
        return name

    def _numbers(self, name: str) -> str:
        if f"{name}{INT8}" not in self.made:
            affine = self.network.affines[name]
            steps = self._node("Div", [name, self._constant(f"{name}@scale", np.float32(affine.scale))], f"{name}@steps")
            moved = self._node("Add", [self._node("Round", [steps], f"{name}@whole"), self._constant(f"{name}@zero", np.float32(affine.zero))], f"{name}@moved")
            limits = [self._constant(f"@{limit}f", np.float32(limit)) for limit in (LOW, HIGH)]
            self._node("Cast", [self._node("Clip", [moved, *limits], f"{name}@limited")], f"{name}{INT8}", to=TensorProto.INT8)
            self.made.add(f"{name}{INT8}")
        return f"{name}{INT8}"

    def _accelerated(self, step: Step) -> None:
        numbers, output = [self._numbers(name) for name in step.inputs], f"{step.outputs[0]}{INT8}"
        if step.unit in (ARRAY, DEPTHWISE):
            self._product(step, numbers[0], output)
        elif step.unit in (ADD, CONCAT):
            self._combination(step, numbers, output)
        elif step.unit == AVERAGE_POOL:
            self._average(step, numbers[0], output)
        else:
            self._same_node(step, numbers[0], output)
        self.made.add(output)

    def _centred(self, name: str, numbers: str, kind: int = TensorProto.FLOAT) -> str:
        """Less its zero, as floating point."""
        cast = self._node("Cast", [numbers], f"{numbers}@{kind}", to=kind) if f"{numbers}@{kind}" not in self.made else f"{numbers}@{kind}"
        centred = f"{numbers}@{kind}@centred"
        if centred not in self.made:
            dtype = helper.tensor_dtype_to_np_dtype(kind)
            self._node("Sub", [cast, self._constant(f"{name}@zero@{kind}", np.array(self.network.affines[name].zero, dtype))], centred)
            self.made.update((cast, centred))
        return centred

    def _product(self, step: Step, numbers: str, output: str) -> None:
        layer, weights, how = step.layer, self.network.weights[step.name], self.network.requantisers[step.name]
        centred, parts = self._centred(step.inputs[0], numbers), []
        for at, matrix in enumerate(exact_parts(weights.matrix)):
            kernel = self._constant(f"{step.name}@weight{at}", layer.from_matrix(matrix.astype(np.float32)))
            node = onnx.NodeProto()
            node.CopyFrom(self.by_name[step.name])
            del node.input[:]
            node.input.extend([centred, kernel])
            node.output[0] = f"{step.name}@sum{at}"
            node.name = f"{step.name}@{at}"
            self.nodes.append(node)
            parts.append(self._node("Cast", [node.output[0]], f"{node.output[0]}@double", to=TensorProto.DOUBLE))
        total = parts[0]
        for at, part in enumerate(parts[1:]):
            total = self._node("Add", [total, part], f"{step.name}@total{at}")
        shape = (-1, 1, 1) if layer.op_type == "Conv" else (-1,)
        ratio = how.factors.astype(np.float64) / 2.0**how.shifts
        scaled = self._node("Mul", [total, self._constant(f"{step.name}@ratio", ratio.reshape(shape))], f"{step.name}@scaled")
        self._rounded(step.name, scaled, weights.biases * ratio + 0.5 + how.zero, shape, output)

    def _rounded(self, name: str, scaled: str, offset: np.ndarray, shape: tuple[int, ...], output: str) -> None:
        moved = self._node("Add", [scaled, self._constant(f"{name}@offset", np.asarray(offset, np.float64).reshape(shape))], f"{name}@moved")
        floor = self._node("Floor", [moved], f"{name}@floor")
        limits = [self._constant(f"@{limit}", np.float64(limit)) for limit in (LOW, HIGH)]
        limited = self._node("Clip", [floor, *limits], f"{name}@limited")
        self._node("Cast", [limited], output, to=TensorProto.INT8)

    def _combination(self, step: Step, numbers: list[str], output: str) -> None:
        scaled = []
        for at, (name, factor) in enumerate(zip(step.inputs, input_factors(self.network, step), strict=True)):
            centred = self._centred(name, numbers[at], TensorProto.DOUBLE)
            scaled.append(
                self._node("Mul", [centred, self._constant(f"{step.name}@factor{at}", np.float64(factor / 2**SHIFT_OF_SUMS))], f"{step.name}@scaled{at}")
            )
        total = self._node("Concat", scaled, f"{step.name}@scaled", axis=1) if step.unit == CONCAT else self._node("Add", scaled, f"{step.name}@scaled")
        self._rounded(step.name, total, 0.5 + self.network.affines[step.outputs[0]].zero, (), output)

    def _average(self, step: Step, numbers: str, output: str) -> None:
        centred = self._centred(step.inputs[0], numbers, TensorProto.DOUBLE)
        axes = self._constant("@spatial", np.array([2, 3], np.int64))
        keep = int(len(self.network.shapes[step.outputs[0]]) == 4)
        total = self._node("ReduceSum", [centred, axes], f"{step.name}@total", keepdims=keep)
        factor = average_factor(self.network, step) / 2**SHIFT_OF_SUMS
        scaled = self._node("Mul", [total, self._constant(f"{step.name}@factor", np.float64(factor))], f"{step.name}@scaled")
        self._rounded(step.name, scaled, 0.5 + self.network.affines[step.outputs[0]].zero, (), output)


def input_factors(network: Quantised, step: Step) -> tuple[int, ...]:
    """Of what is added or put side by side, in units of 2^-24 of the result's scale."""
    result = network.affines[step.outputs[0]]
    return tuple(round(network.affines[name].scale / result.scale * 2**SHIFT_OF_SUMS) for name in step.inputs)


def average_factor(network: Quantised, step: Step) -> int:
    """Of the sum over an image, in units of 2^-24 of the result's scale."""
    source, result = network.affines[step.inputs[0]], network.affines[step.outputs[0]]
    height, width = network.shapes[step.inputs[0]][2:]
    return round(source.scale / result.scale / (height * width) * 2**SHIFT_OF_SUMS)


def exact_parts(matrix: np.ndarray) -> Iterator[np.ndarray]:
    """Matrices [rows, columns] that add up to `matrix`, none of whose products with centred int8 can leave fp32's whole numbers."""
    bound = np.abs(matrix.astype(np.int64)).sum(axis=1).max() * (HIGH - LOW)
    count = max(1, -(-int(bound) // EXACT) * (2 if bound >= EXACT else 1))
    part = np.arange(matrix.shape[1]) * count // matrix.shape[1]
    for at in range(count):
        piece = np.where(part == at, matrix, 0)
        assert np.abs(piece.astype(np.int64)).sum(axis=1).max() * (HIGH - LOW) < EXACT, "a part of the columns is too heavy"
        yield piece
