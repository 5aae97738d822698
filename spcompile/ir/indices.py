"""Places in a table that the model computes."""

import onnx_ir as ir

WHOLE = (ir.DataType.INT32, ir.DataType.INT64)


def is_index(node: ir.Node) -> bool:
    """A Cast of numbers to whole ones that serve as places in tables and for nothing else: kernels read the numbers as they are."""
    readers = node.outputs[0].uses()
    places = bool(readers) and all(use.node.op_type == "Gather" and use.idx == 1 for use in readers) and not node.outputs[0].is_graph_output()
    return node.op_type == "Cast" and node.attributes.get_int("to") in WHOLE and node.inputs[0].dtype == ir.DataType.FLOAT and places
