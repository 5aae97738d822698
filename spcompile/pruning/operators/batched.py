"""Operators that take any number of samples along axis 0 as they are, so that nothing needs to be mapped over them: less work, same meaning."""

import torch
import torch.nn.functional as F

from spcompile.pruning.operators.elementwise import ELEMENTWISE
from spcompile.pruning.operators.products import PRODUCTS
from spcompile.pruning.operators.windows import WINDOWS, padded

PART_BYTES = 8e6  # of the input of a convolution; memory blocks of 32 MB and more glibc takes from the system, and gives back, at every call


class _StridedDepthwise(torch.autograd.Function):
    """A depthwise convolution with a stride. torch's own gradient of its input takes many times as long as the convolution; this one is a
    convolution too: of the output's gradient, spread out by the stride, with the taps in reverse."""

    @staticmethod
    def forward(ctx, x, weight, bias, strides, pads):
        ctx.save_for_backward(x, weight)
        ctx.strides, ctx.pads, ctx.bias = strides, pads, bias is not None
        return F.conv2d(x, weight, bias, strides, pads, 1, len(weight))

    @staticmethod
    def backward(ctx, grad):
        x, weight = ctx.saved_tensors
        wanted = (False, ctx.needs_input_grad[1], ctx.bias and ctx.needs_input_grad[2])
        sizes = [len(weight)] if ctx.bias else None
        shape = ctx.strides, ctx.pads, (1, 1), False, (0, 0), len(weight)
        _, weight_grad, bias_grad = torch.ops.aten.convolution_backward(grad, x, weight, sizes, *shape, wanted)
        x_grad = _spread(grad, weight, x.shape[2:], ctx.strides, ctx.pads) if ctx.needs_input_grad[0] else None
        return x_grad, weight_grad, bias_grad, None, None


def _spread(grad, weight, size, strides, pads):
    """The gradient of the input, [batch, channels, *size]."""
    kernel = weight.shape[2:]
    spread = [side + k - 1 for side, k in zip(size, kernel, strict=True)]
    apart = grad.new_zeros((*grad.shape[:2], *spread)).contiguous(memory_format=torch.channels_last)
    before = [k - 1 - pad for k, pad in zip(kernel, pads, strict=True)]
    places = [slice(first, first + stride * count, stride) for first, stride, count in zip(before, strides, grad.shape[2:], strict=True)]
    apart[:, :, places[0], places[1]] = grad
    return F.conv2d(apart, weight.flip(2, 3), groups=len(weight))


def _in_parts(function, x):
    """function(x), of a few samples at a time, so that what it works in besides its result is small enough to be used again. At once where gradients
    are wanted."""
    count = max(1, int(PART_BYTES // (x[0].numel() * x.element_size())))
    if count >= len(x) or torch.is_grad_enabled():
        return function(x)
    first = function(x[:count])
    result = first.new_empty((len(x), *first.shape[1:]))
    result[:count] = first
    for start in range(count, len(x), count):
        result[start : start + count] = function(x[start : start + count])
    return result


def _conv(attributes, x, weight, bias=None):
    return _in_parts(lambda part: _convolved(attributes, part, weight, bias), x)


def _convolved(attributes, x, weight, bias):
    strides, dilations = (tuple(attributes.get_ints(name, [1, 1])) for name in ("strides", "dilations"))
    depthwise = weight.dim() == 4 and attributes.get_int("group", 1) == len(weight) == x.shape[1]
    if not depthwise or set(strides) == {1} or set(dilations) != {1}:
        return PRODUCTS["Conv"](attributes, x, weight, bias)
    x, pads = padded(attributes, x, list(weight.shape[2:]), value=0.0)
    if any(pad >= k for pad, k in zip(pads, weight.shape[2:], strict=True)):
        return F.conv2d(x, weight, bias, strides, pads, 1, len(weight))
    return _StridedDepthwise.apply(x, weight, bias, strides, pads)


def _clip(attributes, x, low=None, high=None):
    """Bounds as plain numbers: the gradient of bounds, which nobody asks for, costs more than the clipping."""
    if low is None or high is None or not x.is_floating_point() or not low < high:
        return ELEMENTWISE["Clip"](attributes, x, low, high)
    return F.hardtanh(x, low.item(), high.item())


BATCHED = {**WINDOWS, "Clip": _clip, "Conv": _conv}  # the first input varies, all others are constants
