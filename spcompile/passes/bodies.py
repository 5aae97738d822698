"""Operators as smaller ones, in ONNX's text form, and which are taken as ONNX itself writes them out."""

import math
from collections.abc import Callable

import numpy as np
import onnx_ir as ir

from spcompile.ir.constants import constant
from spcompile.passes.einsum_body import einsum

FROM_ONNX = ("Attention", "CenterCropPad", "ReduceL1", "ReduceLogSum", "RMSNormalization", "RotaryEmbedding")


def _instance_normalization(node: ir.Node) -> str:
    """Ulyanov et al. 2016: each channel of each image less its mean, over its deviation."""
    rank = len(node.inputs[0].shape)
    return f"""<epsilon: float = 1e-5> (x, scale, bias) => (y) {{
        axes = Constant<value_ints: ints = {list(range(2, rank))}>()
        column = Constant<value_ints: ints = {[-1] + [1] * (rank - 2)}>()
        scales = Reshape(scale, column)
        biases = Reshape(bias, column)
        {_deviation()}
        factor = Div(scales, deviation)
        scaled = Mul(centred, factor)
        y = Add(scaled, biases)
    }}"""


def _group_normalization(node: ir.Node) -> str:
    """Wu and He 2018. Scales are one for each group up to opset 20, one for each channel since."""
    shape, groups = list(node.inputs[0].shape.numpy()), node.attributes.get_int("num_groups")
    repeated = [groups, shape[1] // groups if node.inputs[1].shape[0] == groups else 1]
    return f"""<epsilon: float = 1e-5> (given, scale, bias) => (y) {{
        grouped = Constant<value_ints: ints = {[shape[0], groups, -1]}>()
        shape = Constant<value_ints: ints = {shape}>()
        axes = Constant<value_ints: ints = [2]>()
        row = Constant<value_ints: ints = {[-1, 1]}>()
        repeated = Constant<value_ints: ints = {[node.inputs[1].shape[0], repeated[1]]}>()
        column = Constant<value_ints: ints = {[-1] + [1] * (len(shape) - 2)}>()
        x = Reshape(given, grouped)
        {_deviation()}
        normal = Div(centred, deviation)
        image = Reshape(normal, shape)
        scale_rows = Reshape(scale, row)
        scale_each = Expand(scale_rows, repeated)
        scales = Reshape(scale_each, column)
        bias_rows = Reshape(bias, row)
        bias_each = Expand(bias_rows, repeated)
        biases = Reshape(bias_each, column)
        scaled = Mul(image, scales)
        y = Add(scaled, biases)
    }}"""


def _deviation() -> str:
    """x, axes, @epsilon -> centred, deviation"""
    return """mean = ReduceMean(x, axes)
        centred = Sub(x, mean)
        square = Mul(centred, centred)
        variance = ReduceMean(square, axes)
        least = Constant<value_float: float = @epsilon>()
        above = Add(variance, least)
        deviation = Sqrt(above)"""


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


def _local_response_normalization(node: ir.Node) -> str:
    """Krizhevsky et al. 2012, section 3.3; the sum over neighbouring channels is an average pool along them."""
    batch, channels, *image = node.inputs[0].shape.numpy()
    size = node.attributes.get_int("size")
    before = (size - 1) // 2
    return f"""<alpha: float = 1e-4, beta: float = 0.75, bias: float = 1.0, size> (x) => (y) {{
        flat = Constant<value_ints: ints = {[batch, 1, channels, -1]}>()
        shape = Constant<value_ints: ints = {[batch, channels, *image]}>()
        alpha = Constant<value_float: float = @alpha>()
        beta = Constant<value_float: float = @beta>()
        bias = Constant<value_float: float = @bias>()
        square = Mul(x, x)
        plane = Reshape(square, flat)
        mean = AveragePool<kernel_shape = {[size, 1]}, pads = {[before, 0, size - 1 - before, 0]}, count_include_pad = 1>(plane)
        around = Reshape(mean, shape)
        scaled = Mul(around, alpha)
        above = Add(scaled, bias)
        power = Pow(above, beta)
        y = Div(x, power)
    }}"""


def _lp_normalization(node: ir.Node) -> str:
    """A vector of zeros stays one."""
    norm = "ReduceL2(x, axes)" if node.attributes.get_int("p", 2) == 2 else "ReduceL1(x, axes)"
    return f"""(x) => (y) {{
        axes = Constant<value_ints: ints = {[node.attributes.get_int("axis", -1)]}>()
        least = Constant<value_float = 1e-30>()
        norm = {norm}
        above = Max(norm, least)
        y = Div(x, above)
    }}"""


def _mean(node: ir.Node) -> str:
    names = ", ".join(f"x{place}" for place in range(len(node.inputs)))
    return f"({names}) => (y) {{ count = Constant<value_float = {float(len(node.inputs))}>()\n sum = Sum({names})\n y = Div(sum, count) }}"


def _mean_variance_normalization(node: ir.Node) -> str:
    """Of numbers less their mean, squared: ONNX's own body takes the difference of two large numbers."""
    return f"""(x) => (y) {{
        axes = Constant<value_ints: ints = {list(node.attributes.get_ints("axes", (0, 2, 3)))}>()
        least = Constant<value_float = 1e-9>()
        mean = ReduceMean(x, axes)
        centred = Sub(x, mean)
        square = Mul(centred, centred)
        variance = ReduceMean(square, axes)
        deviation = Sqrt(variance)
        above = Add(deviation, least)
        y = Div(centred, above)
    }}"""


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
    "GroupNormalization": _group_normalization,
    "InstanceNormalization": _instance_normalization,
    "LRN": _local_response_normalization,
    "LpNormalization": _lp_normalization,
    "Mean": _mean,
    "MeanVarianceNormalization": _mean_variance_normalization,
    "ReduceLogSumExp": _reduce_log_sum_exp,
    "SpaceToDepth": _space_to_depth,
    "Tile": _tile,
}
