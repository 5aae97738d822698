"""Operators that sum, normalise or pick over axes."""

import torch
import torch.nn.functional as F


def _reduce(function):
    def run(attributes, x, axes=None):
        chosen = [] if axes is None else axes.tolist()
        if not chosen and attributes.get_int("noop_with_empty_axes", 0):
            return function(x[..., None], (-1,), False)  # each number by itself: squares are taken all the same
        return function(x, tuple(chosen or range(x.dim())), bool(attributes.get_int("keepdims", 1)))

    return run


def _softmax(function):
    def run(attributes, x):
        return function(x, attributes.get_int("axis", -1))

    return run


def _layer_norm(attributes, x, scale, bias=None):
    axis = attributes.get_int("axis", -1) % x.dim()
    axes = tuple(range(axis, x.dim()))
    centred = x - x.mean(axes, keepdim=True)
    normed = centred * torch.rsqrt((centred * centred).mean(axes, keepdim=True) + attributes.get_float("epsilon", 1e-5)) * scale
    return normed if bias is None else normed + bias


def _rms_norm(attributes, x, scale):
    axes = tuple(range(attributes.get_int("axis", -1) % x.dim(), x.dim()))
    return x * torch.rsqrt((x * x).mean(axes, keepdim=True) + attributes.get_float("epsilon", 1e-5)) * scale


def _batch_norm(attributes, x, scale, bias, mean, variance):
    shape = [1, -1] + [1] * (x.dim() - 2)
    factor = scale * torch.rsqrt(variance + attributes.get_float("epsilon", 1e-5))
    return x * factor.reshape(shape) + (bias - mean * factor).reshape(shape)


def _arg_max(attributes, x):
    return x.argmax(attributes.get_int("axis", 0), keepdim=bool(attributes.get_int("keepdims", 1)))


REDUCTIONS = {
    "ArgMax": _arg_max,
    "BatchNormalization": _batch_norm,
    "LayerNormalization": _layer_norm,
    "LogSoftmax": _softmax(F.log_softmax),
    "RMSNormalization": _rms_norm,
    "ReduceL2": _reduce(lambda x, axes, keep: torch.sqrt((x * x).sum(axes, keepdim=keep))),
    "ReduceMax": _reduce(lambda x, axes, keep: torch.amax(x, axes, keepdim=keep)),
    "ReduceMean": _reduce(lambda x, axes, keep: torch.mean(x, axes, keepdim=keep)),
    "ReduceMin": _reduce(lambda x, axes, keep: torch.amin(x, axes, keepdim=keep)),
    "ReduceSum": _reduce(lambda x, axes, keep: torch.sum(x, axes, keepdim=keep)),
    "ReduceSumSquare": _reduce(lambda x, axes, keep: (x * x).sum(axes, keepdim=keep)),
    "Softmax": _softmax(F.softmax),
}
