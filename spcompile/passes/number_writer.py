"""What stands for booleans and whole numbers while nodes are rewritten into float32."""

from dataclasses import dataclass, field

import numpy as np
import onnx_ir as ir

from spcompile.ir.constants import constant
from spcompile.ir.indices import WHOLE
from spcompile.ir.writer import Writer

Number = ir.Value | None  # of float32, for a value of booleans or whole numbers; None where there is none


@dataclass
class Known:
    """Of values by value."""

    numbers: dict[ir.Value, ir.Value] = field(default_factory=dict)  # what stands for booleans and whole numbers
    opposites: dict[ir.Value, ir.Value] = field(default_factory=dict)
    kept: dict[ir.Value, Number] = field(default_factory=dict)  # of a choice between constants: 0 where it is -infinity, else 1; None where it never is


class NumberWriter(Writer):
    """Writes nodes in the place of one that reads or gives booleans or whole numbers."""

    def __init__(self, node: ir.Node, known: Known):
        super().__init__(node)
        self.known = known

    def floats(self, array) -> ir.Value:
        return self.held("numbers", np.asarray(array, np.float32))

    def number(self, value: ir.Value) -> Number:
        """What stands for booleans and whole numbers; of numbers, these."""
        array = constant(value)
        if array is not None:
            return value if array.dtype == np.float32 else self.floats(array)
        if value.dtype == ir.DataType.FLOAT:
            return value
        if value not in self.known.numbers and (value.dtype in WHOLE or value.is_graph_input()):
            return self.op("Cast", value, to=ir.DataType.FLOAT)
        return self.known.numbers.get(value)

    def opposite(self, number: ir.Value) -> ir.Value:
        if (array := constant(number)) is not None:
            return self.floats(1 - array)
        if number not in self.known.opposites:
            opposite = self.op("Sub", self.floats(1), number)
            self.known.opposites |= {number: opposite, opposite: number}
        return self.known.opposites[number]
