"""Pooling, and the padding that it shares with convolutions."""

import torch
import torch.nn.functional as F


def padded(attributes, x, kernel, value):
    """-> (x, symmetric pads left to the operator). Uneven pads are laid on beforehand, filled with `value`."""
    size = len(kernel)
    pads = list(attributes.get_ints("pads", [0] * (2 * size)))
    before, after = pads[:size], pads[size:]
    if before == after:
        return x, tuple(before)
    uneven = [pad for pair in zip(reversed(before), reversed(after), strict=True) for pad in pair]  # torch starts at the last axis
    return F.pad(x, uneven, value=value), (0,) * size


def _overhang(attributes, x, kernel, pads):
    """Zeros that `ceil_mode` needs behind the last pixel, per axis."""
    if not attributes.get_int("ceil_mode", 0):
        return [0] * len(kernel)
    strides = attributes.get_ints("strides", [1] * len(kernel))
    spans = [size + 2 * pad - k for size, pad, k in zip(x.shape[-len(kernel) :], pads, kernel, strict=True)]
    # a window that would start in the padding behind the image does not count (the specification since opset 19, and ONNX Runtime before)
    starts = [min(-(-span // stride), (span + k - pad - 1) // stride) for span, stride, k, pad in zip(spans, strides, kernel, pads, strict=True)]
    return [start * stride - span for start, stride, span in zip(starts, strides, spans, strict=True)]


def _pool(attributes, x, value, reduce):
    """Lay on every pad by hand, take the windows as views, reduce over them."""
    kernel = attributes.get_ints("kernel_shape")
    strides, dilations = (attributes.get_ints(name, [1] * len(kernel)) for name in ("strides", "dilations"))
    x, pads = padded(attributes, x, kernel, value)
    behind = _overhang(attributes, x, kernel, pads)
    x = F.pad(x, [pad for before, extra in reversed(list(zip(pads, behind, strict=True))) for pad in (before, before + extra)], value=value)
    return reduce(x, kernel, strides, dilations)


def _max_pool(attributes, x):
    function = {1: F.max_pool1d, 2: F.max_pool2d, 3: F.max_pool3d}
    return _pool(attributes, x, float("-inf"), lambda y, kernel, strides, dilations: function[len(kernel)](y, kernel, strides, 0, dilations))


def _average_pool(attributes, x):
    """Sums over windows divided by the number of pixels that count: all of them, or those inside the image."""
    function = {1: F.avg_pool1d, 2: F.avg_pool2d, 3: F.avg_pool3d}

    def average(y):
        return _pool(attributes, y, 0.0, lambda z, kernel, strides, _: function[len(kernel)](z, kernel, strides))

    pixels = torch.ones_like(x[:1, :1])
    if not attributes.get_int("count_include_pad", 0):
        return average(x) / average(pixels)
    return average(x)


WINDOWS = {
    "AveragePool": _average_pool,
    "GlobalAveragePool": lambda attributes, x: x.mean(dim=tuple(range(2, x.dim())), keepdim=True),
    "GlobalMaxPool": lambda attributes, x: x.amax(dim=tuple(range(2, x.dim())), keepdim=True),
    "MaxPool": _max_pool,
}
