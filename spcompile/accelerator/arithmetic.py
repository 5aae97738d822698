"""What the simulated array does with the numbers in its images: int8 to the bit, or bf16 with sums in fp32."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar

import ml_dtypes
import numpy as np

from spcompile.accelerator.numbers import HIGH, LOW, SHIFT_OF_SUMS, Affine, QuantisedWeights, Requantiser
from spcompile.accelerator.schedule import StepEntry, TensorEntry


class Arithmetic(ABC):
    """Of one precision. Sums come in doubles, which hold both kinds of products exactly."""

    number: ClassVar[np.dtype]
    row: ClassVar[np.dtype]  # of rows.bin, 8 bytes

    @abstractmethod
    def numbers(self, real: np.ndarray, tensor: TensorEntry) -> np.ndarray:
        """fp32 -> an activation as the accelerator holds it."""

    @abstractmethod
    def real(self, numbers: np.ndarray, tensor: TensorEntry) -> np.ndarray:
        """An activation -> fp32."""

    @abstractmethod
    def rows(self, weights: QuantisedWeights, how: Requantiser | None, zero: int) -> np.ndarray:
        """-> [rows] of dtype `row`. zero: of the input."""

    @abstractmethod
    def finished(self, sums: np.ndarray, rows: np.ndarray, step: StepEntry, result: TensorEntry) -> np.ndarray:
        """sums [rows, positions], fp64, without what `rows` says -> numbers."""

    @abstractmethod
    def added(self, inputs: Sequence[np.ndarray], sources: Sequence[TensorEntry], step: StepEntry, result: TensorEntry) -> np.ndarray: ...

    @abstractmethod
    def side_by_side(self, inputs: Sequence[np.ndarray], sources: Sequence[TensorEntry], step: StepEntry, result: TensorEntry) -> np.ndarray: ...

    @abstractmethod
    def averaged(self, image: np.ndarray, source: TensorEntry, step: StepEntry, result: TensorEntry) -> np.ndarray:
        """image [batch, channels, height, width] -> [batch, channels]."""


class Int8(Arithmetic):
    """See `numbers`; activations may have a zero of their own."""

    number = np.dtype(np.int8)
    row = np.dtype([("bias", "<i4"), ("factor", "<u2"), ("shift", "u1"), ("unused", "u1")])

    def numbers(self, real, tensor):
        return Affine(tensor.scale, tensor.zero).numbers(real)

    def real(self, numbers, tensor):
        return Affine(tensor.scale, tensor.zero).real(numbers)

    def rows(self, weights, how, zero):
        """The input's zero is folded into the biases."""
        found = np.zeros(len(weights.matrix), self.row)
        found["bias"] = weights.biases.astype(np.int64) - zero * weights.matrix.astype(np.int64).sum(axis=1)
        found["factor"], found["shift"] = how.factors, how.shifts
        return found

    def finished(self, sums, rows, step, result):
        return Requantiser(rows["factor"].astype(np.uint32), rows["shift"], result.zero).numbers(sums + rows["bias"][:, None])

    def added(self, inputs, sources, step, result):
        return self._shifted(sum(self._scaled(inputs, sources, step)), result)

    def side_by_side(self, inputs, sources, step, result):
        return self._shifted(np.concatenate(self._scaled(inputs, sources, step), axis=1), result)

    def averaged(self, image, source, step, result):
        return self._shifted((image.astype(np.int64) - source.zero).sum(axis=(2, 3)) * step.factors[0], result)

    @staticmethod
    def _scaled(inputs, sources, step) -> list[np.ndarray]:
        return [(array.astype(np.int64) - source.zero) * factor for array, source, factor in zip(inputs, sources, step.factors, strict=True)]

    @staticmethod
    def _shifted(total: np.ndarray, result: TensorEntry) -> np.ndarray:
        return np.clip(((total + (1 << (SHIFT_OF_SUMS - 1))) >> SHIFT_OF_SUMS) + result.zero, LOW, HIGH).astype(np.int8)


class Bf16(Arithmetic):
    """Results are rounded to fp32, limited, and rounded to bf16, halves to even each time."""

    number = np.dtype(ml_dtypes.bfloat16)
    row = np.dtype([("bias", "<f4"), ("unused", "<u4")])

    def numbers(self, real, tensor):
        return np.asarray(real, np.float32).astype(self.number)

    def real(self, numbers, tensor):
        return numbers.astype(np.float32)

    def rows(self, weights, how, zero):
        found = np.zeros(len(weights.matrix), self.row)
        found["bias"] = weights.biases
        return found

    def finished(self, sums, rows, step, result):
        return self._limited(sums + rows["bias"].astype(np.float64)[:, None], step)

    def added(self, inputs, sources, step, result):
        first, second = (array.astype(np.float32) for array in inputs)
        return self._limited(first + second, step)

    def side_by_side(self, inputs, sources, step, result):
        return np.concatenate(inputs, axis=1)

    def averaged(self, image, source, step, result):
        return self._limited(image.astype(np.float64).sum(axis=(2, 3)) / (image.shape[2] * image.shape[3]), step)

    def _limited(self, total: np.ndarray, step: StepEntry) -> np.ndarray:
        least, most = (limit if limit is None else np.float32(limit) for limit in step.limits)
        single = total.astype(np.float32)
        return (single if least is None and most is None else np.clip(single, least, most)).astype(self.number)


ARITHMETIC: dict[str, Arithmetic] = {"int8": Int8(), "bf16": Bf16()}
