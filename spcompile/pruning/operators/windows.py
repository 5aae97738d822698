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


def _laid(attributes, x, value, beyond):
    """-> (x with its pads, of `value`, and what `ceil_mode` needs behind these, of `beyond`; of each axis: kernel, stride, dilation)."""
    kernel = attributes.get_ints("kernel_shape")
    size = len(kernel)
    strides, dilations = (attributes.get_ints(name, [1] * size) for name in ("strides", "dilations"))
    pads = list(attributes.get_ints("pads", [0] * (2 * size)))
    ends = pads[size:]
    x = F.pad(x, [pad for pair in zip(reversed(pads[:size]), reversed(ends), strict=True) for pad in pair], value=value)  # torch starts at the last axis
    behind = []
    for length, end, k, stride, dilation in zip(x.shape[-size:], ends, kernel, strides, dilations, strict=True):
        span = length - dilation * (k - 1) - 1
        # a window that would start in the padding behind the image does not count (the specification since opset 22, and ONNX Runtime before)
        last = min(-(-span // stride), (length - end - 1) // stride) if attributes.get_int("ceil_mode", 0) else span // stride
        behind.append(max(0, last * stride - span))
    laid = F.pad(x, [pad for extra in reversed(behind) for pad in (0, extra)], value=beyond)
    return laid, tuple(zip(kernel, strides, dilations, strict=True))


def _max_pool(attributes, x):
    laid, axes = _laid(attributes, x, float("-inf"), float("-inf"))
    kernel, strides, dilations = zip(*axes, strict=True)
    return {1: F.max_pool1d, 2: F.max_pool2d, 3: F.max_pool3d}[len(axes)](laid, kernel, strides, 0, dilations)


def _average_pool(attributes, x):
    """Means over windows divided by the share of pixels that count: those inside the image, and its padding where the node says so."""
    padding = 1.0 if attributes.get_int("count_include_pad", 0) else 0.0
    return _means(*_laid(attributes, x, 0.0, 0.0)) / _means(*_laid(attributes, torch.ones_like(x[:1, :1]), padding, 0.0))


def _means(x, axes):
    """One axis after the other."""
    for axis, (kernel, stride, dilation) in enumerate(axes, start=2):
        x = x.unfold(axis, dilation * (kernel - 1) + 1, stride)[..., ::dilation].mean(-1)
    return x


WINDOWS = {
    "AveragePool": _average_pool,
    "GlobalAveragePool": lambda attributes, x: x.mean(dim=tuple(range(2, x.dim())), keepdim=True),
    "GlobalMaxPool": lambda attributes, x: x.amax(dim=tuple(range(2, x.dim())), keepdim=True),
    "MaxPool": _max_pool,
}
