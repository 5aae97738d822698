"""One value in, one value out, broadcasting as numpy does."""

from functools import reduce

import torch
import torch.nn.functional as F

SELU = (1.67326319217681884765625, 1.05070102214813232421875)  # ONNX's defaults: alpha, gamma


def _simple(function):
    return lambda attributes, *inputs: function(*inputs)


def _clip(attributes, x, low=None, high=None):
    low, high = (bound.reshape(()) if bound is not None else None for bound in (low, high))  # ONNX Runtime takes one number of any rank
    return x if low is None and high is None else torch.clamp(x, low, high)


def _gelu(attributes, x):
    return F.gelu(x, approximate=attributes.get_string("approximate", "none"))


def _hard_sigmoid(attributes, x):
    return (attributes.get_float("alpha", 0.2) * x + attributes.get_float("beta", 0.5)).clamp(0, 1)


def _prelu(attributes, x, slope):
    return torch.where(x < 0, x * slope, x)


def _divide(a, b):
    return a / b if a.is_floating_point() else torch.div(a, b, rounding_mode="trunc")


def _shrink(attributes, x):
    bias, edge = attributes.get_float("bias", 0.0), attributes.get_float("lambd", 0.5)
    return torch.where(x < -edge, x + bias, torch.where(x > edge, x - bias, 0))


def _identity(attributes, x, *_):
    return x


ELEMENTWISE = {
    "Abs": _simple(torch.abs),
    "Add": _simple(torch.add),
    "And": _simple(torch.logical_and),
    "Ceil": _simple(torch.ceil),
    "Celu": lambda attributes, x: F.celu(x, attributes.get_float("alpha", 1.0)),
    "Clip": _clip,
    "Cos": _simple(torch.cos),
    "Div": _simple(_divide),
    "Dropout": _identity,  # inference: passes its input on
    "Elu": lambda attributes, x: F.elu(x, attributes.get_float("alpha", 1.0)),
    "Equal": _simple(torch.eq),
    "Erf": _simple(torch.erf),
    "Exp": _simple(torch.exp),
    "Floor": _simple(torch.floor),
    "Gelu": _gelu,
    "Greater": _simple(torch.gt),
    "GreaterOrEqual": _simple(torch.ge),
    "HardSigmoid": _hard_sigmoid,
    "HardSwish": _simple(F.hardswish),
    "Identity": _identity,
    "LeakyRelu": lambda attributes, x: F.leaky_relu(x, attributes.get_float("alpha", 0.01)),
    "Less": _simple(torch.lt),
    "LessOrEqual": _simple(torch.le),
    "Log": _simple(torch.log),
    "Max": lambda attributes, *inputs: reduce(torch.maximum, inputs),
    "Min": lambda attributes, *inputs: reduce(torch.minimum, inputs),
    "Mish": _simple(F.mish),
    "Mul": _simple(torch.mul),
    "Neg": _simple(torch.neg),
    "Not": _simple(torch.logical_not),
    "Or": _simple(torch.logical_or),
    "PRelu": _prelu,
    "Pow": lambda attributes, x, exponent: torch.pow(x, exponent).to(x.dtype),
    "Reciprocal": _simple(torch.reciprocal),
    "Relu": _simple(torch.relu),
    "Round": _simple(torch.round),
    "Selu": lambda attributes, x: attributes.get_float("gamma", SELU[1]) * F.elu(x, attributes.get_float("alpha", SELU[0])),
    "Shrink": _shrink,
    "Sigmoid": _simple(torch.sigmoid),
    "Sign": _simple(torch.sign),
    "Sin": _simple(torch.sin),
    "Softplus": _simple(F.softplus),
    "Softsign": _simple(F.softsign),
    "Sqrt": _simple(torch.sqrt),
    "Sub": _simple(torch.sub),
    "Swish": lambda attributes, x: x * torch.sigmoid(attributes.get_float("alpha", 1.0) * x),
    "Sum": lambda attributes, *inputs: reduce(torch.add, inputs),
    "Tanh": _simple(torch.tanh),
    "ThresholdedRelu": lambda attributes, x: torch.where(x > attributes.get_float("alpha", 1.0), x, 0),
    "Where": _simple(torch.where),
}
