"""int8 numbers of the accelerator: affine activations, symmetric weights, and the integer arithmetic between them.

Jacob et al. 2018, "Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only Inference", sections 2.1 to 2.3; weights have one scale
a row and no zero point, so that a zero weight stays zero.
"""

from dataclasses import dataclass

import numpy as np

LOW, HIGH = -128, 127
FACTOR_BITS = 16  # of a multiplier
MOST_SHIFT = 40  # factor and shift of a sum of 32 bits stay within 2^53, where doubles are exact
SHIFT_OF_SUMS = 24  # the one shift of additions and averages


@dataclass(frozen=True)
class Affine:
    """real = scale * (number - zero), number in int8."""

    scale: float
    zero: int

    def __post_init__(self):
        assert self.scale > 0 and LOW <= self.zero <= HIGH, self

    @classmethod
    def of_range(cls, low: float, high: float) -> "Affine":
        """That covers low..high and has zero exactly."""
        low, high = min(float(low), 0.0), max(float(high), 0.0)
        scale = float(np.float32(max(high - low, 1e-6) / (HIGH - LOW)))
        return cls(scale, int(np.clip(np.rint(LOW - low / scale), LOW, HIGH)))

    def numbers(self, real: np.ndarray) -> np.ndarray:
        """fp32 -> int8, as ONNX's QuantizeLinear: halves to even."""
        return np.clip(np.rint(np.asarray(real, np.float32) / np.float32(self.scale)) + self.zero, LOW, HIGH).astype(np.int8)

    def real(self, numbers: np.ndarray) -> np.ndarray:
        """int8 -> fp32, as ONNX's DequantizeLinear."""
        return (numbers.astype(np.int32) - self.zero).astype(np.float32) * np.float32(self.scale)


@dataclass(frozen=True, eq=False)
class Requantiser:
    """Sums of 32 bits -> int8, row by row: (sum * factor + 2^(shift-1)) >> shift, plus the zero of the output, limited to int8."""

    factors: np.ndarray  # [rows] uint32, up to 2^16 - 1
    shifts: np.ndarray  # [rows] uint8, 1..40
    zero: int

    def __post_init__(self):
        assert (self.factors < 1 << FACTOR_BITS).all() and (self.shifts >= 1).all() and (self.shifts <= MOST_SHIFT).all(), self

    @classmethod
    def of(cls, ratios: np.ndarray, zero: int) -> "Requantiser":
        """ratios [rows]: real scale of a sum over that of the output."""
        _, exponent = np.frexp(ratios)
        shifts = np.clip(FACTOR_BITS - exponent, 1, MOST_SHIFT)
        factors = np.rint(ratios * 2.0**shifts)
        over = factors >= 1 << FACTOR_BITS
        shifts, factors = np.where(over & (shifts > 1), shifts - 1, shifts), np.where(over, np.rint(ratios * 2.0 ** (shifts - 1)), factors)
        return cls(np.minimum(factors, (1 << FACTOR_BITS) - 1).astype(np.uint32), shifts.astype(np.uint8), zero)

    def numbers(self, sums: np.ndarray) -> np.ndarray:
        """sums [rows, positions], whole numbers of any type -> int8."""
        wide = sums.astype(np.int64) * self.factors.astype(np.int64)[:, None]
        shifts = self.shifts.astype(np.int64)[:, None]
        return np.clip(((wide + (np.int64(1) << (shifts - 1))) >> shifts) + self.zero, LOW, HIGH).astype(np.int8)


@dataclass(frozen=True, eq=False)
class QuantisedWeights:
    """matrix [rows, columns] int8; biases [rows] int32 in units of a sum; scales [rows]. Of bf16: bfloat16, fp32 and ones."""

    matrix: np.ndarray
    biases: np.ndarray
    scales: np.ndarray


def quantise_weights(matrix: np.ndarray, bias: np.ndarray, source: Affine, result: Affine) -> QuantisedWeights:
    """matrix [rows, columns], bias [rows], fp32. A row without weights gets a scale that its bias is told finely in."""
    largest = np.abs(matrix).max(axis=1).astype(np.float64)
    scales = np.where(largest > 0, largest / HIGH, result.scale / source.scale / 2**15)
    biases = np.clip(np.rint(bias / (scales * source.scale)), -(2**30), 2**30).astype(np.int32)
    return QuantisedWeights(np.rint(matrix / scales[:, None]).astype(np.int8), biases, scales)
