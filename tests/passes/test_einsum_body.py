import numpy as np
import pytest

from spcompile.ir.layers import find_layers
from spcompile.passes import prepare

GENERATOR = np.random.default_rng(0)
SIZES = dict(zip("bhqkdnm", (2, 3, 4, 5, 6, 2, 3), strict=True))


def numbers(*shape: int) -> np.ndarray:
    return GENERATOR.normal(size=shape).astype(np.float32)


def shape_of(labels: str) -> tuple[int, ...]:
    return tuple(SIZES[label] for label in labels.replace("...", "nm"))


def model_of(build, equation: str, held: int | None = None):
    """held: which operand is a constant."""
    operands = equation.split("->")[0].replace(" ", "").split(",")
    names = [f"x{place}" for place in range(len(operands))]
    fed = ", ".join(f"float{list(shape_of(labels))} {name}" for place, (labels, name) in enumerate(zip(operands, names, strict=True)) if place != held)
    rank = np.einsum(equation, *(np.zeros(shape_of(labels)) for labels in operands)).ndim
    text = f'g ({fed}) => (float[{",".join("abcdefg"[:rank])}] y) {{ e = Einsum<equation="{equation}">({", ".join(names)})  y = Neg(e) }}'
    return build(text, **({} if held is None else {names[held]: numbers(*shape_of(operands[held]))}))


@pytest.mark.parametrize(
    "equation",
    [
        "bhqd,bhkd->bhqk",
        "bhqk,bhkd->bqhd",
        "bqd,dk->bqk",
        "qd, kd",
        "bq,bd->bqd",
        "...q,...d->...qd",
        "...qd,dk->...qk",
        "bd,bd->b",
        "q,q->",
        "bqd->dbq",
        "bqd->bd",
        "bqd->",
    ],
)
def test_computes_the_same(build, assert_equal_outputs, equation):
    model = model_of(build, equation)
    prepared = prepare(model)
    assert "Einsum" not in {node.op_type for node in prepared.graph}
    assert_equal_outputs(model, prepared)


@pytest.mark.parametrize(("equation", "held"), [("bqd,dhk->bqhk", 1), ("dhk,bqd->bhqk", 0)])
def test_a_constant_operand_makes_a_layer(build, assert_equal_outputs, equation, held):
    model = model_of(build, equation, held)
    prepared = prepare(model)
    (layer,) = find_layers(prepared)
    assert (layer.rows, layer.columns) == (SIZES["h"] * SIZES["k"], SIZES["d"])
    assert_equal_outputs(model, prepared)


@pytest.mark.parametrize("equation", ["bqd,dk->bq", "bq,qd,dk->bk"])
def test_others_stay(build, equation):
    assert "Einsum" in {node.op_type for node in prepare(model_of(build, equation)).graph}
