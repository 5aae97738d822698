"""Resizing is a product with a constant matrix for each axis."""

import numpy as np
import onnx_ir as ir

from spcompile.ir.resizing import asked_factors, repeats_elements
from spcompile.ir.rewiring import replace
from spcompile.ir.session import run
from spcompile.ir.writer import Writer
from spcompile.passes.base import NodePass, nodes_of

ATTRIBUTES = ("mode", "coordinate_transformation_mode", "nearest_mode", "cubic_coeff_a", "exclude_outside", "antialias")


class SplitResize(NodePass):
    """Before: Resize<mode="linear">(x) -> after: MatMul(m, x) along the last axis but one, Transpose(MatMul(n, Transpose(x))) along any other.

    The matrices are what ONNX Runtime makes of the identity. Repeated elements (`repeats_elements`), which are copied, stay a Resize.
    """

    op_types = ("Resize",)

    def rewrite(self, node: ir.Node) -> bool:
        if not _is_split(node):
            return False
        writer, value = Writer(node), node.inputs[0]
        sizes, results = (value.shape.numpy() for value in (node.inputs[0], node.outputs[0]))
        for axis in [axis for axis, (size, result) in enumerate(zip(sizes, results, strict=True)) if _factor(node, axis) != 1 or size != result]:
            matrix = writer.held("matrix", _matrix(node, axis, sizes[axis], results[axis]))
            value = _along(writer, matrix, value, axis, len(sizes))
        if not writer.nodes:
            writer.op("Identity", value)
        replace(node, writer.nodes)
        return True

    def ensures(self, model: ir.Model) -> None:
        assert not any(_is_split(node) for node in nodes_of(model, self.op_types))


def _is_split(node: ir.Node) -> bool:
    """Not where pixels outside of the image have a value of their own, or one factor is worked out from all axes."""
    separate = node.attributes.get_string("coordinate_transformation_mode", "half_pixel") != "tf_crop_and_resize"
    separate &= node.attributes.get_string("keep_aspect_ratio_policy", "stretch") == "stretch"
    constants = all(value is None or not value.name or value.const_value is not None for value in node.inputs[1:])
    return separate and constants and len(node.inputs[0].shape) > 1 and not repeats_elements(node)


def _factor(node: ir.Node, axis: int) -> float:
    """By which the axis is scaled; of sizes, what they come to."""
    rank = len(node.inputs[0].shape)
    named = [place % rank for place in node.attributes.get_ints("axes", range(rank))]
    if axis not in named:
        return 1.0
    factors = asked_factors(node)
    return factors[named.index(axis)] if factors else node.outputs[0].shape[axis] / node.inputs[0].shape[axis]


def _matrix(node: ir.Node, axis: int, size: int, result: int) -> np.ndarray:
    """[result, size]"""
    x = ir.val("x", ir.DataType.FLOAT, (1, 1, size, size))
    by_size = not asked_factors(node)
    how = np.array([1, 1, result, size], np.int64) if by_size else np.array([1, 1, _factor(node, axis), 1], np.float32)
    tape = ir.tape.Tape()
    asked = tape.initializer(ir.tensor(how, name="asked"))
    given = {name: node.attributes[name] for name in ATTRIBUTES if name in node.attributes}
    y = tape.op("Resize", [x, None, None, asked] if by_size else [x, None, asked], given, name="resize")
    y.name, y.shape, y.dtype = "y", ir.Shape((1, 1, result, size)), ir.DataType.FLOAT
    graph = ir.Graph([x], [y], nodes=tape.nodes, initializers=tape.initializers, opset_imports=node.graph.opset_imports)
    return run(ir.Model(graph, ir_version=8), {"x": np.eye(size, dtype=np.float32)[None, None]})["y"][0, 0]


def _along(writer: Writer, matrix: ir.Value, value: ir.Value, axis: int, rank: int) -> ir.Value:
    """The product along one axis, which comes last but one for it."""
    order = [place for place in range(rank) if place != axis]
    order.insert(rank - 2, axis)
    if axis == rank - 2:
        return writer.op("MatMul", matrix, value)
    moved = writer.op("Transpose", value, perm=order)
    return writer.op("Transpose", writer.op("MatMul", matrix, moved), perm=np.argsort(order).tolist())
