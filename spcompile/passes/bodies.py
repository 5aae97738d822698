"""Operators as smaller ones, in ONNX's text form, and which are taken as ONNX itself writes them out."""

import math
from collections.abc import Callable

import numpy as np
import onnx_ir as ir

from spcompile.ir.constants import constant
from spcompile.passes import norm_bodies as norms
from spcompile.passes.einsum_body import einsum

FROM_ONNX = ("Attention", "CenterCropPad", "ReduceL1", "ReduceLogSum", "RMSNormalization", "RotaryEmbedding")


def _gather_elements(node: ir.Node) -> str | None:
    """Of a constant that is the same everywhere, as the kinds of RoBERTa's tokens are."""
    table = constant(node.inputs[0])
    if table is None or table.dtype not in (np.int64, np.float32) or not table.size or np.any(table != table.flat[0]):
        return None
    number = f"value_int = {int(table.flat[0])}" if table.dtype == np.int64 else f"value_float = {float(table.flat[0])!r}"
    return f"""(table, places) => (y) {{
        shape = Constant<value_ints: ints = {list(node.inputs[1].shape.numpy())}>()
        same = Constant<{number}>()
        y = Expand(same, shape)
    }}"""


def _gather_nd(node: ir.Node) -> str | None:
    """Places that are known, each of all leading axes together."""
    indices, shape = constant(node.inputs[1]), node.inputs[0].shape.numpy()
    if indices is None or node.attributes.get_int("batch_dims", 0):
        return None
    leading = shape[: indices.shape[-1]]
    places = np.ravel_multi_index(tuple(np.moveaxis(indices, -1, 0) % np.reshape(leading, (-1, *(1,) * (indices.ndim - 1)))), leading)
    return f"""(x, indices) => (y) {{
        together = Constant<value_ints: ints = {[math.prod(leading), *shape[len(leading) :]]}>()
        places = Constant<value_ints: ints = {places.ravel().tolist()}>()
        shape = Constant<value_ints: ints = {[*indices.shape[:-1], *shape[len(leading) :]]}>()
        flat = Reshape(x, together)
        picked = Gather(flat, places)
        y = Reshape(picked, shape)
    }}"""


def _mean(node: ir.Node) -> str:
    names = ", ".join(f"x{place}" for place in range(len(node.inputs)))
    return f"({names}) => (y) {{ count = Constant<value_float = {float(len(node.inputs))}>()\n sum = Sum({names})\n y = Div(sum, count) }}"


def _reduce_log_sum_exp(node: ir.Node) -> str:
    """Of differences from the largest, whose exponentials cannot overflow."""
    return """<keepdims: int = 1, noop_with_empty_axes: int = 0> (x, axes) => (y) {
        largest = ReduceMax<keepdims = 1, noop_with_empty_axes: int = @noop_with_empty_axes>(x, axes)
        below = Sub(x, largest)
        exponential = Exp(below)
        sum = ReduceSum<keepdims: int = @keepdims, noop_with_empty_axes: int = @noop_with_empty_axes>(exponential, axes)
        logarithm = Log(sum)
        summit = ReduceMax<keepdims: int = @keepdims, noop_with_empty_axes: int = @noop_with_empty_axes>(x, axes)
        y = Add(logarithm, summit)
    }"""


def _space_to_depth(node: ir.Node) -> str:
    batch, channels, height, width = node.inputs[0].shape.numpy()
    size = node.attributes.get_int("blocksize")
    return f"""<blocksize> (x) => (y) {{
        apart = Constant<value_ints: ints = {[batch, channels, height // size, size, width // size, size]}>()
        together = Constant<value_ints: ints = {[batch, channels * size**2, height // size, width // size]}>()
        blocks = Reshape(x, apart)
        moved = Transpose<perm = [0, 3, 5, 1, 2, 4]>(blocks)
        y = Reshape(moved, together)
    }}"""


def _tile(node: ir.Node) -> str | None:
    repeats = constant(node.inputs[1])
    if repeats is None:
        return None
    shape = node.inputs[0].shape.numpy()
    apart, wide = ([number for pair in pairs for number in pair] for pairs in (((1, size) for size in shape), zip(repeats.tolist(), shape, strict=True)))
    return f"""(x, repeats) => (y) {{
        apart = Constant<value_ints: ints = {apart}>()
        wide = Constant<value_ints: ints = {wide}>()
        together = Constant<value_ints: ints = {[size * times for size, times in zip(shape, repeats.tolist(), strict=True)]}>()
        single = Reshape(x, apart)
        repeated = Expand(single, wide)
        y = Reshape(repeated, together)
    }}"""


BODIES: dict[str, Callable[[ir.Node], str | None]] = {  # node, of known shapes -> its operator without the name; None where it stays
    "Einsum": einsum,
    "GatherElements": _gather_elements,
    "GatherND": _gather_nd,
    "GroupNormalization": norms.group_normalization,
    "InstanceNormalization": norms.instance_normalization,
    "LRN": norms.local_response_normalization,
    "LpNormalization": norms.lp_normalization,
    "Mean": _mean,
    "MeanVarianceNormalization": norms.mean_variance_normalization,
    "ReduceLogSumExp": _reduce_log_sum_exp,
    "SpaceToDepth": _space_to_depth,
    "Tile": _tile,
}
