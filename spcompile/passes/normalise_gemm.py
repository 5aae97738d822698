"""One kind of Gemm: activations times a constant matrix plus a constant vector."""

import numpy as np
import onnx_ir as ir

from spcompile.ir.constants import add_constant, constant, rewrite_constant
from spcompile.ir.rewiring import follow, replace
from spcompile.passes.base import NodePass, nodes_of


class NormaliseGemm(NodePass):
    """Before: Gemm<alpha, beta, transA>(a, b, c) -> after: Gemm(Transpose(a), alpha * b, beta * c), c of shape [columns of the result] or absent.

    A Gemm whose b is computed becomes MatMul, Mul and Add; a c that is computed, or differs from row to row, becomes an Add.
    """

    op_types = ("Gemm",)

    def rewrite(self, node: ir.Node) -> bool:
        if _is_plain(node):
            return False
        if node.attributes.get_int("transA", 0):
            node.replace_input_with(0, _transposed(node, 0))
        _detach_addend(node)
        if constant(node.inputs[1]) is None:
            _become_matmul(node)
        elif (alpha := node.attributes.get_float("alpha", 1.0)) != 1:
            rewrite_constant([(node, 1)], constant(node.inputs[1]) * np.float32(alpha))
        for name in ("alpha", "beta", "transA"):
            node.attributes.pop(name, None)
        return True

    def ensures(self, model: ir.Model) -> None:
        assert all(_is_plain(node) for node in nodes_of(model, self.op_types))


def _is_plain(node: ir.Node) -> bool:
    factors = (node.attributes.get_float("alpha", 1.0), node.attributes.get_float("beta", 1.0), node.attributes.get_int("transA", 0))
    c = _addend(node)
    vector = c is None or (constant(c) is not None and constant(c).shape == (_columns(node),))
    return factors == (1, 1, 0) and constant(node.inputs[1]) is not None and vector


def _addend(node: ir.Node) -> ir.Value | None:
    return node.inputs[2] if len(node.inputs) > 2 else None


def _columns(node: ir.Node) -> int:
    return node.inputs[1].shape[0 if node.attributes.get_int("transB", 0) else 1]


def _transposed(node: ir.Node, index: int) -> ir.Value:
    """Insert a Transpose of a matrix input before `node`."""
    matrix = node.inputs[index]
    transpose = ir.node("Transpose", [matrix], {"perm": [1, 0]}, name=f"{node.name}_transpose_{'ab'[index]}")
    transpose.outputs[0].type, transpose.outputs[0].shape = matrix.type, ir.Shape(matrix.shape.numpy()[::-1])
    node.graph.insert_before(node, transpose)
    return transpose.outputs[0]


def _detach_addend(node: ir.Node) -> None:
    """beta * c becomes a plain bias vector where it is one, else an Add after the Gemm."""
    c, beta = _addend(node), node.attributes.get_float("beta", 1.0)
    if c is None:
        return
    vector = _vector(c, beta, _columns(node))
    if vector is not None and constant(node.inputs[1]) is not None:
        node.replace_input_with(2, add_constant(node.graph, f"{c.name}_vector", vector))
        return
    node.resize_inputs(2)
    addition = follow(node, "Add", c, f"{node.name}_add")
    if beta != 1:
        scale = ir.node("Mul", [c, add_constant(node.graph, f"{node.name}_beta", np.array(beta, np.float32))], name=f"{node.name}_times_beta")
        scale.outputs[0].type, scale.outputs[0].shape = c.type, c.shape
        node.graph.insert_before(addition, scale)
        addition.replace_input_with(1, scale.outputs[0])


def _vector(c: ir.Value, beta: float, columns: int) -> np.ndarray | None:
    """beta * c as one number for each column; None when c is computed or differs from row to row."""
    array = constant(c)
    if array is None or (array.ndim == 2 and array.shape[0] != 1):
        return None
    return np.array(np.broadcast_to(np.ravel(array * np.float32(beta)), (columns,)))


def _become_matmul(node: ir.Node) -> None:
    right = _transposed(node, 1) if node.attributes.get_int("transB", 0) else node.inputs[1]
    alpha = node.attributes.get_float("alpha", 1.0)
    chain = [ir.node("MatMul", [node.inputs[0], right], name=node.name)]
    if alpha != 1:
        factor = add_constant(node.graph, f"{node.name}_alpha", np.array(alpha, np.float32))
        chain.append(ir.node("Mul", [chain[0].outputs[0], factor], name=f"{node.name}_times_alpha"))
    replace(node, chain)
