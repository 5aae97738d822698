import numpy as np
import pytest

from spcompile.ir.layers import find_layers, shared_weights
from spcompile.passes import prepare

GENERATOR = np.random.default_rng(0)
GATES = {"RNN": 1, "GRU": 3, "LSTM": 4}
STEPS, BATCH, WIDE, WIDTH = 5, 2, 3, 4


def numbers(*shape: int) -> np.ndarray:
    return GENERATOR.normal(size=shape).astype(np.float32)


def recurrent(build, kind: str, attributes: str = "", inputs: str = "b, , h, c", outputs: str = "y, last_h, last_c", directions: int = 1, **more):
    """A model of one layer; input c and output last_c are an LSTM's alone."""
    lstm = kind == "LSTM"
    inputs, outputs = (text if lstm else text.removesuffix(cell) for text, cell in ((inputs, ", c"), (outputs, ", last_c")))
    rows = GATES[kind] * WIDTH
    arrays = {"w": numbers(directions, rows, WIDE), "r": numbers(directions, rows, WIDTH), "b": numbers(directions, 2 * rows)}
    states = ", ".join(f"float[{directions},{BATCH},{WIDTH}] {name}" for name in "hc" if name in inputs.split(", "))
    shapes = {"y": f"float[{STEPS},{directions},{BATCH},{WIDTH}]", **dict.fromkeys(("last_h", "last_c"), f"float[{directions},{BATCH},{WIDTH}]")}
    results = ", ".join(f"{shapes[name]} {name}" for name in outputs.split(", ") if name)
    attributes = f"hidden_size={WIDTH}{', ' * bool(attributes)}{attributes}"
    text = (
        f"g ({', '.join(filter(None, (f'float[{STEPS},{BATCH},{WIDE}] x', states)))}) => ({results}) {{ {outputs} = {kind}<{attributes}>(x, w, r, {inputs}) }}"
    )
    return build(text, **{name: array for name, array in {**arrays, **more}.items() if name in inputs.split(", ") or name in "wr"})


@pytest.mark.parametrize("direction", ["forward", "reverse", "bidirectional"])
@pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU", "GRU<linear_before_reset=1>"])
def test_every_kind_and_direction(build, assert_equal_outputs, kind, direction):
    kind, _, attributes = kind.rstrip(">").partition("<")
    attributes = f'{attributes}{", " * bool(attributes)}direction="{direction}"'
    model = recurrent(build, kind, attributes, directions=1 + (direction == "bidirectional"))
    prepared = prepare(model)
    assert not {"RNN", "GRU", "LSTM"} & {node.op_type for node in prepared.graph}
    assert_equal_outputs(model, prepared)


@pytest.mark.parametrize("outputs", ["y", ", last_h", "y, , last_c"])
@pytest.mark.parametrize("kind", GATES)
def test_without_bias_and_first_state(build, assert_equal_outputs, kind, outputs):
    if kind != "LSTM" and "last_c" in outputs:
        outputs = "y, last_h"
    model = recurrent(build, kind, inputs="", outputs=outputs)
    assert_equal_outputs(model, prepare(model))


def test_other_activations(build, assert_equal_outputs):
    model = recurrent(build, "GRU", 'activations=["Softsign","Relu"]')
    assert_equal_outputs(model, prepare(model))


@pytest.mark.parametrize("kind", GATES)
def test_all_steps_multiply_by_one_matrix(build, kind):
    layers = find_layers(prepare(recurrent(build, kind, "linear_before_reset=1" if kind == "GRU" else "")))
    assert len(layers) == 1 + STEPS
    assert [len(names) for names in shared_weights(layers).values()] == [STEPS]


def test_lengths_that_are_all_of_the_sequence(build, assert_equal_outputs):
    model = recurrent(build, "LSTM", inputs="b, n", n=np.full(BATCH, STEPS, np.int32))
    prepared = prepare(model)
    assert "LSTM" not in {node.op_type for node in prepared.graph}
    assert_equal_outputs(model, prepared)


@pytest.mark.parametrize(
    ("attributes", "inputs"), [("clip=0.5", "b"), ("input_forget=1", "b"), ("", "b, n"), ("", "b, , h, c, p"), ('activations=["Sigmoid","Affine","Tanh"]', "b")]
)
def test_others_stay(build, attributes, inputs):
    more = {"n": np.array([STEPS, 2], np.int32), "p": numbers(1, 3 * WIDTH)}
    model = recurrent(build, "LSTM", attributes, inputs, **more)
    assert [node.op_type for node in prepare(model).graph] == ["LSTM"]


def test_results_that_nobody_reads(build):
    model = build(
        "g (float[5,2,3] x) => (float[5,2,3] z) { y, h, c = LSTM<hidden_size=4>(x, w, r)  z = Neg(x) }", w=numbers(1, 16, WIDE), r=numbers(1, 16, WIDTH)
    )
    assert [node.op_type for node in prepare(model).graph] == ["Neg"]
