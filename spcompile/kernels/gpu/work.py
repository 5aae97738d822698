"""What one launch asks of a GPU: counted, never timed."""

from dataclasses import dataclass

ELEMENT = 2  # bytes of a 16-bit float
VECTOR = 2.5  # bytes of a weight: its value, and its share of the places of its step
TWO_OF_FOUR = 1.125  # bytes of a weight: half of the values, and 2 bits of metadata for each of them


@dataclass(frozen=True)
class Product:
    """y[positions, rows] = x[positions, columns] times weights [rows, columns], `batch` times. two_of_four, vectors: weights are stored and multiplied so.

    reads: how often an input is counted among the columns: the taps of a convolution over the area of its stride; memory holds it once.
    """

    rows: int
    positions: int
    columns: int
    two_of_four: bool = False
    batch: int = 1
    reads: float = 1.0
    kept: float = 1.0  # share of the weights that is stored and multiplied
    vectors: bool = False

    @property
    def bytes_of_weight(self) -> float:
        return TWO_OF_FOUR if self.two_of_four else VECTOR if self.vectors else ELEMENT

    @property
    def weight_bytes(self) -> float:
        return self.batch * self.rows * self.columns * self.bytes_of_weight * self.kept

    @property
    def bytes(self) -> float:
        """Weights, inputs and outputs, each once."""
        return self.weight_bytes + self.batch * self.positions * (self.rows + self.columns / self.reads) * ELEMENT


@dataclass(frozen=True)
class Sweep:
    """A launch outside the tensor cores. bytes: read and written; flop: multiply-add = 2."""

    bytes: float
    flop: float = 0.0
