"""What a Resize does to the axes of its input."""

import math

import onnx_ir as ir

from spcompile.ir.constants import constant


def repeats_elements(node: ir.Node) -> bool:
    """Is it nearest neighbour by whole factors, each element so many times as the factor says?"""
    nearest = node.attributes.get_string("mode", "nearest") == "nearest"
    mode = node.attributes.get_string("coordinate_transformation_mode", "half_pixel")
    rounding = node.attributes.get_string("nearest_mode", "round_prefer_floor")
    factors = [wide / extent for extent, wide in zip(node.inputs[0].shape.numpy(), node.outputs[0].shape.numpy(), strict=True)]
    whole = all(factor.is_integer() for factor in factors) and asked_factors(node) in ([], factors)
    plain = (mode, rounding) in {("asymmetric", "floor"), ("half_pixel", "round_prefer_floor"), ("half_pixel", "round_prefer_ceil")}
    return nearest and whole and plain


def asked_factors(node: ir.Node) -> list[float]:
    """One for each axis named, none where sizes are asked for: a size rounds down what its scale asks, and the scale decides which pixel is read."""
    scales = node.inputs[2] if len(node.inputs) > 2 else None
    array = constant(scales)
    if array is None:
        return [] if scales is None else [math.nan]
    return [float(scale) for scale in array]
