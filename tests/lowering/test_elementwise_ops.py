"""Every elementwise operator, alone and in chains."""

import re

import numpy as np
import onnx
import onnx_ir as ir
import pytest

from spcompile.lowering.elementwise_ops import BUILDERS, expression_of, scalar_of

OPERATORS = {  # operator: nodes that use it in all its forms; x is any number, p positive, c one per channel, s a number
    "Abs": "y = Abs(x)",
    "Add": "y = Add(x, c)",
    "Cast": "y = Cast<to=1>(i)",
    "Ceil": "y = Ceil(x)",
    "Celu": "a = Celu(x)  y = Celu<alpha=0.3>(a)",
    "Clip": "a = Clip(x, s)  b = Clip(a, , one)  y = Clip(b, minus, s)",
    "Cos": "y = Cos(x)",
    "Div": "a = Div(x, p)  y = Div(one, a)",
    "Elu": "a = Elu(x)  y = Elu<alpha=0.3>(a)",
    "Erf": "y = Erf(x)",
    "Exp": "y = Exp(x)",
    "Floor": "y = Floor(x)",
    "Gelu": 'a = Gelu(x)  y = Gelu<approximate="tanh">(a)',
    "HardSigmoid": "a = HardSigmoid(x)  y = HardSigmoid<alpha=0.4, beta=0.1>(a)",
    "HardSwish": "y = HardSwish(x)",
    "LeakyRelu": "a = LeakyRelu(x)  y = LeakyRelu<alpha=0.3>(a)",
    "Log": "y = Log(p)",
    "Max": "y = Max(x, c, p)",
    "Min": "y = Min(x, s)",
    "Mish": "y = Mish(x)",
    "Mul": "y = Mul(c, x)",
    "Neg": "y = Neg(x)",
    "PRelu": "a = PRelu(x, c)  y = PRelu(a, s)",
    "Pow": "a = Pow(p, s)  b = Pow(x, two)  d = Pow(p, half)  e = Pow(p, x)  y = Sum(a, b, d, e)",
    "Reciprocal": "y = Reciprocal(p)",
    "Relu": "y = Relu(x)",
    "Round": "a = Add(x, half)  y = Round(a)",
    "Selu": "a = Selu(x)  y = Selu<alpha=0.3, gamma=2.0>(a)",
    "Shrink": "a = Shrink(x)  b = Shrink<bias=0.2, lambd=0.3>(x)  y = Add(a, b)",
    "Sigmoid": "y = Sigmoid(x)",
    "Sign": "y = Sign(x)",
    "Sin": "y = Sin(x)",
    "Softplus": "y = Softplus(x)",
    "Softsign": "y = Softsign(x)",
    "Sqrt": "y = Sqrt(p)",
    "Sub": "y = Sub(s, x)",
    "Sum": "a = Sum(x, c, p)  y = Sum(a)",
    "Swish": "y = Swish(x)",
    "Tanh": "y = Tanh(x)",
    "ThresholdedRelu": "a = ThresholdedRelu(x)  b = ThresholdedRelu<alpha=-0.3>(x)  y = Add(a, b)",
}
CONSTANTS = {name: np.float32(number).reshape(()) for name, number in {"s": 0.7, "one": 1, "minus": -0.5, "two": 2, "half": 0.5}.items()}
NEEDS_A_NEWER_RUNTIME = ("Swish",)  # opset 24


def model(build, names, opset: int = 20):
    body = [re.sub(r"\b([abdey])\b", rf"\1{name}", OPERATORS[name]) for name in names]
    outputs = ", ".join(f"float[2,3,5,7] y{name}" for name in names)
    text = f"g (float[2,3,5,7] x, float[2,3,5,7] q, int64[2,3,5,7] i) => ({outputs}) {{ r = Abs(q)  p = Add(r, half)  {'  '.join(body)} }}"
    return build(text, opset, c=np.array([0.5, -1, 2], np.float32).reshape(3, 1, 1), **CONSTANTS)


def test_every_operator_has_a_case():
    assert OPERATORS.keys() == BUILDERS.keys()


@pytest.mark.parametrize("target", ["x86-avx2", pytest.param("x86-avx512", marks=pytest.mark.needs_avx512)])
def test_operators(build, assert_compiles, target):
    program = assert_compiles(model(build, [name for name in OPERATORS if name not in NEEDS_A_NEWER_RUNTIME]), target)
    assert len(program.outputs) == len(OPERATORS) - len(NEEDS_A_NEWER_RUNTIME)


def test_swish():
    """x * sigmoid(alpha x); judged by its expression where the runtime does not know it."""
    node = ir.from_proto(onnx.helper.make_node("Swish", ["x"], ["y"], alpha=2.0))
    assert expression_of(node) == ("mul", ("operand", 0), ("sigmoid", ("mul", ("operand", 0), ("const", 2.0))))


@pytest.mark.parametrize("rank", [0, 1, 2, 3, 5])
def test_ranks_and_broadcasting(build, assert_compiles, rank):
    """A chain over operands of smaller ranks, repeated along different axes."""
    shape = (2, 3, 4, 5, 6)[:rank]
    full = f"float[{', '.join(map(str, shape))}]" if rank else "float"
    inputs, outputs, terms = [f"{full} x"], [f"{full} y"], ["a0 = Relu(x)"]
    for axis in range(rank):
        ones = [n if k != axis else 1 for k, n in enumerate(shape)][axis // 2 :]
        inputs.append(f"float[{', '.join(map(str, ones))}] b{axis}")
        terms.append(f"a{axis + 1} = {('Add', 'Mul', 'Sub')[axis % 3]}(b{axis}, a{axis})")
    assert_compiles(build(f"g ({', '.join(inputs)}) => ({', '.join(outputs)}) {{ {' '.join(terms)}  y = Add(a{rank}, x) }}"))


def test_what_uses_itself_often_stays_small(build, assert_compiles):
    """A chain in which each link reads the one before twice does not double in code."""
    links = "  ".join(f"s{i} = Sigmoid(a{i})  a{i + 1} = Mul(a{i}, s{i})" for i in range(14))
    assert_compiles(build(f"g (float[1,3,4,4] x) => (float[1,3,4,4] a14) {{ a0 = Abs(x) {links} }}"))


@pytest.mark.parametrize(("array", "number"), [(np.float32(3), 3), (np.float32([[[3]]]), 3), (np.int64(3), 3), (np.float32([3, 3]), None)])
def test_numbers_are_told_from_tensors(array, number):
    assert scalar_of(ir.Value(name="v", const_value=ir.tensor(np.asarray(array)))) == number
    assert scalar_of(None) is None


def test_other_domains_are_not_onnx():
    assert expression_of(ir.Node("test", "Relu", [ir.Value(name="x")])) is None
    assert expression_of(ir.Node("", "Conv", [ir.Value(name="x")])) is None
