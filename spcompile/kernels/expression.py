"""Elementwise arithmetic as a value: nested tuples that a kernel turns into code and that compare and hash as data.

An expression is ("operand", k), ("const", number) or (operation, argument, ...), e.g. max(a + b, 0) is
("max", ("add", ("operand", 0), ("operand", 1)), ("const", 0.0)).
"""

from functools import cache

Expression = tuple
LOWEST = -3.4028234663852886e38  # of fp32
START = {"add": 0.0, "max": LOWEST, "min": -LOWEST}  # what a reduction begins with

ACCUMULATOR: Expression = ("operand", 0)


def operand(index: int) -> Expression:
    return ("operand", index)


def constant(value: float) -> Expression:
    return ("const", float(value))


def substitute(expression: Expression, replacement: dict[int, Expression]) -> Expression:
    """Replace operands by expressions; operands that are not named stay."""
    if expression[0] == "operand":
        return replacement.get(expression[1], expression)
    if expression[0] == "const":
        return expression
    return (expression[0], *(substitute(argument, replacement) for argument in expression[1:]))


@cache
def operations(expression: Expression) -> int:
    """Arithmetic operations in the tree, for counting work."""
    if expression[0] in ("operand", "const"):
        return 0
    return COSTS.get(expression[0], 1) + sum(operations(argument) for argument in expression[1:])


# Vector instructions of the functions that expand into polynomials, counted from the code below.
COSTS = {"gelu": 29, "exp": 14, "sigmoid": 17, "tanh": 19, "erf": 25, "log": 20, "div": 4, "sqrt": 4, "pow": 36, "reciprocal": 4, "cos": 30, "sin": 30}
REUSING = ("exp", "sigmoid", "tanh", "erf", "gelu", "square", "leaky_relu", "sign")  # functions that use their first argument more than once


def evaluate(expression: Expression, operands: list):
    """-> TIR expression over scalar TIR operands; vectorised by the loop around it.

    exp is right from -87.3 to 88.3 and holds its last values outside, so it never gives 0 or infinity.
    """
    if expression[0] == "operand":
        return operands[expression[1]]
    if expression[0] == "const":
        from tvm import tirx

        return tirx.const(expression[1], "float32")
    arguments = [evaluate(argument, operands) for argument in expression[1:]]
    function = _functions()[expression[0]]
    if expression[0] not in REUSING or expression[1][0] in ("operand", "const"):
        return function(*arguments)
    # A name for what is used many times: TVM walks expressions as trees, and nested functions would multiply.
    from tvm import tirx

    inner = tirx.Var("inner", "float32")
    return tirx.Let(inner, arguments[0], function(inner, *arguments[1:]))


def _functions() -> dict:
    """Operation -> function of TIR expressions.

    max(number, x) is NaN where x is, max(x, number) is the number: a NaN must not come out as a result.
    """
    from tvm import tirx

    return {
        "add": lambda a, b: a + b,
        "sub": lambda a, b: a - b,
        "mul": lambda a, b: a * b,
        "div": lambda a, b: a / b,
        "max": tirx.max,
        "min": tirx.min,
        "neg": lambda a: _number(0.0) - a,
        "abs": tirx.abs,
        "relu": lambda a: tirx.max(_number(0.0), a),
        "leaky_relu": lambda a, slope: tirx.Select(a >= _number(0.0), a, a * slope),
        "exp": _exp,
        "log": tirx.log,
        "sqrt": tirx.sqrt,
        "reciprocal": lambda a: _number(1.0) / a,
        "square": lambda a: a * a,
        "pow": tirx.pow,
        "cos": tirx.cos,
        "round": tirx.nearbyint,
        "sin": tirx.sin,
        "sign": lambda a: tirx.Select(a > _number(0.0), _number(1.0), tirx.Select(a < _number(0.0), _number(-1.0), _number(0.0))),
        "floor": tirx.floor,
        "sigmoid": _sigmoid,
        "tanh": _tanh,
        "erf": _erf,
        "hard_sigmoid": lambda x, alpha, beta: tirx.max(_number(0.0), tirx.min(_number(1.0), x * alpha + beta)),
        "gelu": lambda a: _number(0.5) * a * (_number(1.0) + _erf(a * _number(0.7071067811865476))),
        "greater_equal_zero": lambda a: tirx.Select(a >= _number(0.0), _number(1.0), _number(0.0)),
        "where": lambda c, a, b: tirx.Select(c != _number(0.0), a, b),
    }


def _number(value: float):
    from tvm import tirx

    return tirx.const(value, "float32")


def _exp(x):
    """Cody-Waite reduction and a degree-5 polynomial (Cephes expf, 2 ulp): exp(x) = 2^n * p(x - n ln 2)."""
    from tvm import tirx

    x = tirx.min(_number(88.37626), tirx.max(_number(-87.33654), x))
    n = tirx.floor(x * _number(1.44269504088896341) + _number(0.5))
    r = x - n * _number(0.693359375) + n * _number(2.12194440e-4)
    p = _number(1.9875691500e-4)
    for c in (1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 5.0000001201e-1):
        p = p * r + _number(c)
    p = p * r * r + r + _number(1.0)
    power = tirx.reinterpret("float32", (tirx.Cast("int32", n) + 127) * (1 << 23))
    return p * power


def _sigmoid(x):
    return _number(1.0) / (_number(1.0) + _exp(_number(0.0) - x))


def _tanh(x):
    """tanh(x) = 1 - 2 / (exp(2x) + 1); near zero its odd series avoids cancellation."""
    from tvm import tirx

    square = x * x
    series = x * (_number(1.0) + square * (_number(-1 / 3) + square * (_number(2 / 15) + square * _number(-17 / 315))))
    return tirx.Select(tirx.abs(x) < _number(0.2), series, _number(1.0) - _number(2.0) / (_exp(x + x) + _number(1.0)))


def _erf(x):
    """Rational approximation of Eigen's erf (generic_fast_erf_float), x clamped to [-4, 4], 1e-7 absolute."""
    from tvm import tirx

    x = tirx.min(_number(4.0), tirx.max(_number(-4.0), x))
    square = x * x
    p = _number(-2.72614225801306e-10)
    for c in (2.77068142495902e-08, -2.10102402082508e-06, -5.69250639462346e-05, -7.34990630326855e-04, -2.95459980854025e-03, -1.60960333262415e-02):
        p = p * square + _number(c)
    q = _number(-1.45660718464996e-05)
    for c in (-2.13374055278905e-04, -1.68282697438203e-03, -7.37332916720468e-03, -1.42647390514189e-02):
        q = q * square + _number(c)
    return x * p / q
