"""How an epilogue reads a tensor."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Operand:
    """Strides in elements; 0 repeats. A bias is (1, 0), a residual (its channel stride, 1), a mask of positions (0, 1).

    A batch of products goes batch_stride from one to the next, or, where it has batches within it, inner_stride within each.
    """

    row_stride: int
    position_stride: int
    batch_stride: int = 0
    inner_stride: int = 0

    @property
    def is_tensor(self) -> bool:
        """A number of its own for every row and position."""
        return bool(self.row_stride and self.position_stride)

    @property
    def is_mask(self) -> bool:
        """Numbers along positions, the same for all rows."""
        return bool(self.position_stride and not self.row_stride)


def load_operands(buffers, operands: tuple[Operand, ...], row, position, batch=0) -> list:
    """-> one TIR load per operand at [batch, row, position]."""
    return [
        buffer[batch * operand.batch_stride + row * operand.row_stride + position * operand.position_stride]
        for buffer, operand in zip(buffers, operands, strict=True)
    ]


def operand_pointers(operands: tuple) -> dict[str, str]:
    return {f"operand_{index}": "float32" for index in range(len(operands))}
