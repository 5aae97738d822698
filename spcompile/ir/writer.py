"""Writing nodes that take the place of one."""

from collections import Counter

import numpy as np
import onnx_ir as ir

from spcompile.ir.constants import add_constant


class Writer:
    """Collects nodes, and adds constants, named after the node whose place they take; see `rewiring.replace`."""

    def __init__(self, node: ir.Node):
        self.node, self._tape, self._names = node, ir.tape.Tape(), Counter()

    @property
    def nodes(self) -> list[ir.Node]:
        return list(self._tape.nodes)

    def op(self, op_type: str, *inputs: ir.Value | None, name: str | None = None, **attributes) -> ir.Value:
        return self._tape.op(op_type, inputs, attributes, name=name or self._name(op_type))

    def parts(self, op_type: str, count: int, *inputs: ir.Value, **attributes) -> tuple[ir.Value, ...]:
        """Of a node with several outputs."""
        return tuple(self._tape.op_multi_out(op_type, inputs, attributes, num_outputs=count, name=self._name(op_type)))

    def held(self, role: str, array) -> ir.Value:
        """A constant: of float32 or booleans as they are, of whole numbers int64."""
        array = np.asarray(array)
        return add_constant(self.node.graph, f"{self.node.name}_{role}", array.astype(np.int64) if array.dtype.kind in "iu" else array)

    def _name(self, op_type: str) -> str:
        self._names[op_type] += 1
        number = f"_{self._names[op_type]}" if self._names[op_type] > 1 else ""
        return f"{self.node.name}_{op_type}{number}"
