"""ONNX's elementwise operators as expressions of their inputs."""

import math

import onnx_ir as ir

from spcompile.ir.indices import is_index
from spcompile.kernels.expression import Expression, constant, operand


def expression_of(node: ir.Node) -> Expression | None:
    """Expression over the node's inputs (operand i = input i), or None if the operator is not elementwise.

    Attributes follow the ONNX operator reference of each operator's newest version.
    """
    build = BUILDERS.get(node.op_type) if node.domain in ("", "ai.onnx") else None
    return build(node) if build else None


def scalar_of(value: ir.Value | None) -> float | None:
    """The number in a constant of one element."""
    if value is None or value.const_value is None or math.prod(value.const_value.shape.numpy()) != 1:
        return None
    return float(value.const_value.numpy().reshape(()))


def _unary(name: str):
    return lambda node: (name, operand(0))


def _chain(name: str):
    """Operators of one or more inputs, folded from the left: Add, Sum, Max, Min."""

    def build(node: ir.Node) -> Expression:
        result = operand(0)
        for index in range(1, len(node.inputs)):
            result = (name, result, operand(index))
        return result

    return build


def _clip(node: ir.Node) -> Expression | None:
    bounds = [node.inputs[i] if len(node.inputs) > i else None for i in (1, 2)]
    if any(bound is not None and scalar_of(bound) is None for bound in bounds):
        return None
    low, high = (scalar_of(bound) for bound in bounds)
    result = operand(0)
    if low is not None:
        result = ("max", result, constant(low))
    return result if high is None else ("min", result, constant(high))


def _pow(node: ir.Node) -> Expression:
    exponent = scalar_of(node.inputs[1])
    if exponent == 2:
        return ("square", operand(0))
    return ("sqrt", operand(0)) if exponent == 0.5 else ("pow", operand(0), operand(1))


def _hard_sigmoid(alpha: float, beta: float) -> Expression:
    return ("hard_sigmoid", operand(0), constant(alpha), constant(beta))


def _gelu(node: ir.Node) -> Expression:
    if node.attributes.get_string("approximate", "none") == "none":
        return ("gelu", operand(0))
    x = operand(0)
    cubic = ("add", x, ("mul", constant(0.044715), ("mul", x, ("square", x))))
    return ("mul", ("mul", constant(0.5), x), ("add", constant(1), ("tanh", ("mul", constant(math.sqrt(2 / math.pi)), cubic))))


def _cast(node: ir.Node) -> Expression | None:
    return operand(0) if node.attributes.get_int("to") == ir.DataType.FLOAT or is_index(node) else None


def _elu(node: ir.Node) -> Expression:
    x, alpha = operand(0), constant(node.attributes.get_float("alpha", 1.0))
    return ("where", ("greater_equal_zero", x), x, ("mul", alpha, ("sub", ("exp", x), constant(1))))


def _celu(node: ir.Node) -> Expression:
    x, alpha = operand(0), constant(node.attributes.get_float("alpha", 1.0))
    below = ("mul", alpha, ("sub", ("exp", ("div", ("min", x, constant(0)), alpha)), constant(1)))
    return ("add", ("relu", x), below)


def _selu(node: ir.Node) -> Expression:
    x, alpha, gamma = operand(0), node.attributes.get_float("alpha", 1.67326319217681884765625), node.attributes.get_float("gamma", 1.05070102214813232421875)
    below = ("mul", constant(alpha), ("sub", ("exp", ("min", x, constant(0))), constant(1)))
    return ("mul", constant(gamma), ("add", ("relu", x), below))


def _shrink(node: ir.Node) -> Expression:
    x, bias, edge = operand(0), constant(node.attributes.get_float("bias", 0.0)), constant(node.attributes.get_float("lambd", 0.5))
    below, above = ("sub", ("neg", x), edge), ("sub", x, edge)
    return ("add", ("mul", _is_positive(below), ("add", x, bias)), ("mul", _is_positive(above), ("sub", x, bias)))


def _thresholded_relu(node: ir.Node) -> Expression:
    alpha = constant(node.attributes.get_float("alpha", 1.0))
    return ("mul", operand(0), _is_positive(("sub", operand(0), alpha)))


def _is_positive(expression: Expression) -> Expression:
    """1 or 0"""
    return ("relu", ("sign", expression))


def _softplus(x: Expression) -> Expression:
    """log(1 + exp(x)), of an exponential that cannot overflow."""
    return ("add", ("relu", x), ("log", ("add", constant(1), ("exp", ("neg", ("abs", x))))))


BUILDERS = {
    "Abs": _unary("abs"),
    "Add": _chain("add"),
    "Cast": _cast,
    "Ceil": lambda node: ("neg", ("floor", ("neg", operand(0)))),
    "Celu": _celu,
    "Clip": _clip,
    "Cos": _unary("cos"),
    "Div": _chain("div"),
    "Elu": _elu,
    "Erf": _unary("erf"),
    "Exp": _unary("exp"),
    "Floor": _unary("floor"),
    "Gelu": _gelu,
    "HardSigmoid": lambda node: _hard_sigmoid(node.attributes.get_float("alpha", 0.2), node.attributes.get_float("beta", 0.5)),
    "HardSwish": lambda node: ("mul", operand(0), _hard_sigmoid(1 / 6, 0.5)),
    "LeakyRelu": lambda node: ("leaky_relu", operand(0), constant(node.attributes.get_float("alpha", 0.01))),
    "Log": _unary("log"),
    "Max": _chain("max"),
    "Min": _chain("min"),
    "Mish": lambda node: ("mul", operand(0), ("tanh", _softplus(operand(0)))),
    "Mul": _chain("mul"),
    "Neg": _unary("neg"),
    "PRelu": lambda node: ("leaky_relu", operand(0), operand(1)),
    "Pow": _pow,
    "Reciprocal": _unary("reciprocal"),
    "Relu": _unary("relu"),
    "Round": _unary("round"),
    "Selu": _selu,
    "Shrink": _shrink,
    "Sigmoid": _unary("sigmoid"),
    "Sign": _unary("sign"),
    "Sin": _unary("sin"),
    "Softplus": lambda node: _softplus(operand(0)),
    "Softsign": lambda node: ("div", operand(0), ("add", constant(1), ("abs", operand(0)))),
    "Sqrt": _unary("sqrt"),
    "Sub": _chain("sub"),
    "Sum": _chain("add"),
    "Swish": lambda node: ("mul", operand(0), ("sigmoid", ("mul", operand(0), constant(node.attributes.get_float("alpha", 1.0))))),
    "Tanh": _unary("tanh"),
    "ThresholdedRelu": _thresholded_relu,
}
