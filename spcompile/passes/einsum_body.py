"""An Einsum of one or two operands as a matrix product, in ONNX's text form."""

import math
import string

import onnx_ir as ir

from spcompile.ir.constants import constant


def einsum(node: ir.Node) -> str | None:
    """None for more operands, diagonals, sizes of one that are repeated, and sums over what one of two operands has alone."""
    shapes = [value.shape.numpy() for value in node.inputs]
    operands, result = _labels(node.attributes.get_string("equation"), [len(shape) for shape in shapes])
    sizes = {label: size for labels, shape in zip(operands, shapes, strict=True) for label, size in zip(labels, shape, strict=True)}
    pairs = {(label, size) for labels, shape in zip(operands, shapes, strict=True) for label, size in zip(labels, shape, strict=True)}
    if any(len(set(labels)) < len(labels) for labels in (*operands, result)) or len(pairs) > len(sizes):
        return None
    if len(operands) == 1:
        return _of_one(operands[0], result)
    return _product(operands, result, sizes, swapped=constant(node.inputs[0]) is not None) if len(operands) == 2 else None


def _labels(equation: str, ranks: list[int]) -> tuple[list[str], str]:
    """A letter for each axis of each operand and of the result; capital ones, if free, for an ellipsis."""
    given, arrow, result = equation.replace(" ", "").partition("->")
    free = [letter for letter in string.ascii_uppercase if letter not in equation]
    operands, widest = [], 0
    for term, rank in zip(given.split(","), ranks, strict=True):
        hidden = rank - len(term.replace("...", ""))
        widest = max(widest, hidden if "..." in term else 0)
        operands.append(term.replace("...", "".join(free[:hidden][::-1])))
    dots = "".join(free[:widest][::-1])
    if not arrow:
        result = dots + "".join(sorted(label for label in set(given) - set(",.") if given.count(label) == 1))
    return operands, result.replace("...", dots)


def _of_one(labels: str, result: str) -> str:
    summed = [axis for axis, label in enumerate(labels) if label not in result]
    left = [label for label in labels if label in result]
    total = f"axes = Constant<value_ints: ints = {summed}>()\n total = ReduceSum<keepdims = 0>(x, axes)" if summed else "total = Identity(x)"
    return f"(x) => (y) {{ {total}\n y = Transpose<perm: ints = {[left.index(label) for label in result]}>(total) }}"


def _product(operands: list[str], result: str, sizes: dict[str, int], swapped: bool) -> str | None:
    """A constant comes second, as a layer has it."""
    first, second = operands[::-1] if swapped else operands
    batch = [label for label in result if label in first and label in second]
    summed = [label for label in first if label in second and label not in result]
    rows, columns = ([label for label in labels if label not in other] for labels, other in ((first, second), (second, first)))
    if not set(rows + columns) <= set(result):
        return None
    gives = batch + rows + columns
    a, b = ("second", "first") if swapped else ("first", "second")
    shapes = [
        [sizes[label] for label in batch] + [math.prod(sizes[label] for label in part) for part in parts] for parts in ((rows, summed), (summed, columns))
    ]
    return f"""(first, second) => (y) {{
        rows_shape = Constant<value_ints: ints = {shapes[0]}>()
        columns_shape = Constant<value_ints: ints = {shapes[1]}>()
        shape = Constant<value_ints: ints = {[sizes[label] for label in gives]}>()
        rows_in_order = Transpose<perm: ints = {[first.index(label) for label in batch + rows + summed]}>({a})
        columns_in_order = Transpose<perm: ints = {[second.index(label) for label in batch + summed + columns]}>({b})
        rows = Reshape(rows_in_order, rows_shape)
        columns = Reshape(columns_in_order, columns_shape)
        product = MatMul(rows, columns)
        apart = Reshape(product, shape)
        y = Transpose<perm: ints = {[gives.index(label) for label in result]}>(apart)
    }}"""
