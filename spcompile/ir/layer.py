"""A prunable node seen as a matrix product: [rows, columns] x [columns, positions], once per group."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Layer:
    """One Conv, Gemm or MatMul with a constant weight.

    rows: out channels, all groups together. columns: in channels of one group x kernel taps. positions: outputs of one row
    for one whole batch. In the matrix view in-channels are neighbours: column = tap * in_channels_of_a_group + in_channel.
    """

    name: str  # the node's name, unique in the graph
    op_type: str  # "Conv", "Gemm" or "MatMul"
    weight: str  # name of the initializer
    bias: str | None  # name of the initializer
    input: str  # name of the activation that is multiplied
    output: str  # name of the node's output
    rows: int
    columns: int
    positions: int
    groups: int = 1
    kernel: tuple[int, int] = (1, 1)
    strides: tuple[int, int] = (1, 1)
    dilations: tuple[int, int] = (1, 1)
    pads: tuple[int, int, int, int] = (0, 0, 0, 0)  # top, left, bottom, right
    transposed: bool = False  # the initializer is [columns, rows] (MatMul; Gemm with transB=0)

    def __post_init__(self):
        assert self.op_type in ("Conv", "Gemm", "MatMul"), self.op_type
        assert self.rows > 0 and self.columns > 0 and self.positions > 0, self
        assert self.rows % self.groups == 0, self

    @property
    def taps(self) -> int:
        return self.kernel[0] * self.kernel[1]

    @property
    def in_channels(self) -> int:
        """In channels of one group."""
        return self.columns // self.taps

    @property
    def macs(self) -> int:
        """Multiply-accumulates of the dense layer."""
        return self.rows * self.columns * self.positions

    @property
    def depthwise(self) -> bool:
        return self.groups > 1 and self.in_channels == 1

    def to_matrix(self, weight: np.ndarray) -> np.ndarray:
        """Initializer -> [rows, columns], in-channels neighbouring. A view where numpy can make one."""
        if self.op_type == "Conv":
            return weight.reshape(self.rows, self.in_channels, self.taps).transpose(0, 2, 1).reshape(self.rows, self.columns)
        return weight.T if self.transposed else weight

    def from_matrix(self, matrix: np.ndarray) -> np.ndarray:
        """[rows, columns] -> the initializer's shape. Inverse of `to_matrix`; Conv weights come back as [rows, in, ky, kx]."""
        if self.op_type == "Conv":
            taps_last = matrix.reshape(self.rows, self.taps, self.in_channels).transpose(0, 2, 1)
            return np.ascontiguousarray(taps_last.reshape(self.rows, self.in_channels, *self.kernel))
        return np.ascontiguousarray(matrix.T if self.transposed else matrix)
