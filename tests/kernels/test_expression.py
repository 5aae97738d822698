"""Arithmetic as data, and the accuracy of the functions it is made of."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import special

from spcompile.kernels.cpu.elementwise import Elementwise
from spcompile.kernels.expression import ACCUMULATOR, COSTS, constant, operand, operations, substitute

A, B = operand(0), operand(1)
FUNCTIONS = {  # name: (reference, least and greatest argument, largest relative error, and absolute error allowed where that is more)
    "exp": (np.exp, -87.3, 88.3, 2e-7, 0),
    "sigmoid": (special.expit, -86, 90, 3e-7, 0),
    "tanh": (np.tanh, -30, 30, 1e-6, 0),
    "erf": (special.erf, -9, 9, 5e-7, 0),
    "gelu": (lambda x: x * special.ndtr(x), -12, 12, 5e-7, 1.2e-6),
    "log": (np.log, 1e-37, 1e38, 2e-7, 0),
    "sqrt": (np.sqrt, 0, 1e38, 1e-7, 0),
    "reciprocal": (np.reciprocal, 1e-30, 1e30, 1e-7, 0),
    "square": (np.square, -1e9, 1e9, 1e-7, 0),
    "neg": (np.negative, -9, 9, 0, 0),
    "abs": (np.abs, -9, 9, 0, 0),
    "floor": (np.floor, -9, 9, 0, 0),
    "round": (np.round, -9, 9, 0, 0),
    "sign": (np.sign, -9, 9, 0, 0),
    "cos": (np.cos, -90, 90, 2e-7, 2e-7),
    "sin": (np.sin, -90, 90, 2e-7, 2e-7),
    "relu": (lambda x: np.maximum(x, 0), -9, 9, 0, 0),
    "greater_equal_zero": (lambda x: (x >= 0) * 1.0, -9, 9, 0, 0),
}
BINARY = {  # name: (expression, reference, relative error)
    "add": (("add", A, B), np.add, 1e-7),
    "sub": (("sub", A, B), np.subtract, 1e-7),
    "mul": (("mul", A, B), np.multiply, 1e-7),
    "div": (("div", A, B), np.divide, 1e-7),
    "max": (("max", A, B), np.maximum, 0),
    "min": (("min", A, B), np.minimum, 0),
    "pow": (("pow", ("abs", A), B), lambda a, b: np.abs(a) ** b, 1e-6),
    "leaky_relu": (("leaky_relu", A, B), lambda a, b: np.where(a >= 0, a, a * b), 1e-7),
    "where": (("where", ("relu", A), A, B), lambda a, b: np.where(a > 0, a, b), 0),
    "hard_sigmoid": (("hard_sigmoid", A, constant(0.25), B), lambda a, b: np.clip(a * 0.25 + b, 0, 1), 2e-7),
}


def arguments(least: float, greatest: float) -> np.ndarray:
    """Evenly spread, and over every order of magnitude on both sides of 0."""
    powers = np.logspace(-37, 38, 20_000)
    x = np.concatenate([np.linspace(least, greatest, 60_001), powers, -powers, [0.0]]).astype(np.float32)
    return x[(x >= np.float32(least)) & (x <= np.float32(greatest))]


def call(expression, *inputs: np.ndarray):
    size = inputs[0].size
    return Elementwise.over((size,), (1,), [(1,)] * len(inputs), expression, 16), [np.full(size, np.nan, np.float32), *inputs]


def assert_close(found, expected, relative: float, absolute: float, name: str) -> None:
    error = np.abs(found - expected) - max(absolute, np.finfo(np.float32).tiny)  # numbers below may lose digits
    worst = np.argmax(error - relative * np.abs(expected))
    assert error[worst] <= relative * np.abs(expected[worst]), f"{name}: {found[worst]} for {expected[worst]}"


def test_functions_are_accurate(call_kernels, target):
    points = [arguments(least, greatest) for _, least, greatest, *_ in FUNCTIONS.values()]
    results = call_kernels([call((name, A), x) for name, x in zip(FUNCTIONS, points, strict=True)], target)
    for (name, (reference, _, _, relative, absolute)), x, (found, _) in zip(FUNCTIONS.items(), points, results, strict=True):
        assert_close(found, reference(x.astype(np.float64)), relative, absolute, name)


def test_functions_of_two(call_kernels, target):
    rng = np.random.default_rng(0)
    a, b = (rng.uniform(-4, 4, 4097).astype(np.float32) for _ in range(2))
    results = call_kernels([call(expression, a, b) for expression, *_ in BINARY.values()], target)
    for (name, (_, reference, relative)), (found, *_) in zip(BINARY.items(), results, strict=True):
        absolute = 1e-6 if name in ("add", "sub", "hard_sigmoid") else 0
        assert_close(found, reference(a.astype(np.float64), b.astype(np.float64)), relative, absolute, name)


def test_functions_of_functions(call_kernels, target):
    """Four deep; as nested trees they would take TVM for ever."""
    rng = np.random.default_rng(0)
    x = rng.uniform(-3, 3, 1001).astype(np.float32)
    ((found, _),) = call_kernels([call(("exp", ("tanh", ("sigmoid", ("gelu", ("mul", A, constant(0.5)))))), x)], target)
    half = x.astype(np.float64) / 2
    assert_close(found, np.exp(np.tanh(special.expit(half * special.ndtr(half)))), 1e-6, 0, "exp of tanh of sigmoid of gelu")


def test_beyond_the_ends(call_kernels, target):
    """NaN stays NaN, infinities go to the function's limits, nothing in between jumps."""
    x = np.array([np.nan, -np.inf, -3e38, 3e38, np.inf], np.float32)
    names = ("exp", "sigmoid", "tanh", "erf", "relu", "abs", "neg", "square")
    found = {name: y for name, (y, _) in zip(names, call_kernels([call((name, A), x) for name in names], target), strict=True)}
    assert all(np.isnan(y[0]) for y in found.values())
    tiny = np.finfo(np.float32).tiny
    for name, low, high in (("sigmoid", 0, 1), ("tanh", -1, 1), ("erf", -1, 1)):
        np.testing.assert_allclose(found[name][1:], [low, low, high, high], rtol=0, atol=1e-6)
    assert (found["exp"][1:3] <= 2 * tiny).all() and (found["exp"][3:] > 2e38).all()
    np.testing.assert_array_equal(found["relu"][1:], np.maximum(x[1:], 0))
    np.testing.assert_array_equal(found["abs"][1:], np.abs(x[1:]))


def test_every_priced_function_is_one_that_is_tested():
    assert COSTS.keys() <= FUNCTIONS.keys() | BINARY.keys()


leaves = st.one_of(st.integers(0, 3).map(operand), st.floats(-4, 4, width=32).map(constant))
trees = st.recursive(leaves, lambda inner: st.tuples(st.sampled_from(["add", "mul", "max"]), inner, inner), max_leaves=8)


def value(expression, operands) -> float:
    if expression[0] in ("operand", "const"):
        return operands[expression[1]] if expression[0] == "operand" else expression[1]
    left, right = (value(argument, operands) for argument in expression[1:])
    return {"add": left + right, "mul": left * right, "max": max(left, right)}[expression[0]]


@given(trees, trees)
def test_substituting_is_composing(outer, inner):
    operands = [0.5, -1.25, 2.0, 3.0]
    composed = substitute(outer, {0: inner})
    assert value(composed, operands) == value(outer, [value(inner, operands), *operands[1:]])
    assert hash(composed) == hash(substitute(outer, {0: inner}))
    assert substitute(outer, {}) == outer


def test_operations_are_counted_once_each():
    assert operations(ACCUMULATOR) == operations(constant(1)) == 0
    assert operations(("add", ("mul", A, B), constant(1))) == 2
    assert operations(("sigmoid", ("add", A, B))) == COSTS["sigmoid"] + 1
    assert math.isfinite(operations(("gelu", A)))


def test_an_unknown_function_is_our_mistake(call_kernels, target):
    with pytest.raises(KeyError):
        call_kernels([call(("cosine", A), np.zeros(4, np.float32))], target)
