"""Operators with weights: the sums of products."""

import torch
import torch.nn.functional as F

from spcompile.pruning.operators.windows import padded


def _conv(attributes, x, weight, bias=None):
    kernel = list(weight.shape[2:])
    x, pads = padded(attributes, x, kernel, value=0.0)
    function = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}[len(kernel)]
    strides, dilations = (attributes.get_ints(name, [1] * len(kernel)) for name in ("strides", "dilations"))
    return function(x, weight, bias, tuple(strides), pads, tuple(dilations), attributes.get_int("group", 1))


def _gemm(attributes, a, b, c=None):
    a = a.mT if attributes.get_int("transA", 0) else a
    b = b.mT if attributes.get_int("transB", 0) else b
    product = attributes.get_float("alpha", 1.0) * (a @ b)
    return product if c is None else product + attributes.get_float("beta", 1.0) * c


PRODUCTS = {
    "Conv": _conv,
    "Gemm": _gemm,
    "MatMul": lambda attributes, a, b: torch.matmul(a, b),
}
