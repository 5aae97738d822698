import onnx_ir as ir
import pytest

from spcompile.errors import ModelError
from spcompile.ir.input_shapes import FIXED_BATCH, fix_input_shapes

BATCH = "g (float[N,3,8,8] x) => (float[N,3,8,8] y) { y = Relu(x) }"
TOKENS = "g (int64[batch,seq] ids, int64[batch,seq] mask) => (int64[batch,seq] y) { y = Mul(ids, mask) }"
STATIC = "g (float[2,3] x) => (float[2,3] y) { y = Relu(x) }"
SEQUENCE = "g (float[seq_len,64] x) => (float[seq_len,64] y) { y = Relu(x) }"
UNNAMED = "g (float[?,3,?,?] x) => (float[?,3,?,?] y) { y = Relu(x) }"
VECTOR = "g (float[n] x) => (float[n] y) { y = Relu(x) }"


def _shapes(model: ir.Model) -> dict:
    return {value.name: value.shape.numpy() for value in model.graph.inputs}


def test_a_lone_batch_dimension_becomes_one_and_is_noted(build):
    model = build(BATCH)
    fix_input_shapes(model)
    assert _shapes(model) == {"x": (1, 3, 8, 8)}
    assert model.metadata_props == {FIXED_BATCH: "x"}


def test_a_static_model_is_left_alone(build):
    model = build(STATIC)
    fix_input_shapes(model, {"x": (2, 3)})
    assert _shapes(model) == {"x": (2, 3)}
    assert not model.metadata_props


@pytest.mark.parametrize(("text", "given", "expected"), [(BATCH, {"x": (4, 3, 8, 8)}, {"x": (4, 3, 8, 8)}), (VECTOR, {"x": (5,)}, {"x": (5,)})])
def test_given_shapes_are_taken(build, text, given, expected):
    model = build(text)
    fix_input_shapes(model, given)
    assert _shapes(model) == expected
    assert not model.metadata_props


def test_numbers_below_one_are_open(build):
    model = build(UNNAMED)
    model.graph.inputs[0].shape = ir.Shape([-1, 3, 0, 5])
    fix_input_shapes(model, {"x": (1, 3, 4, 5)})
    assert _shapes(model) == {"x": (1, 3, 4, 5)}


def test_a_size_of_zero_is_no_batch(build):
    model = build(STATIC)
    model.graph.inputs[0].shape = ir.Shape([0, 3])
    with pytest.raises(ModelError, match=r"input 'x' has dimensions of size 0 \[0, 3\]; give its shape, for instance --input-shape x=1,3"):
        fix_input_shapes(model)


def test_equal_names_are_equal_sizes(build):
    model = build(TOKENS)
    fix_input_shapes(model, {"ids": (1, 128)})
    assert _shapes(model) == {"ids": (1, 128), "mask": (1, 128)}


def test_question_marks_promise_nothing(build):
    model = build(UNNAMED)
    fix_input_shapes(model, {"x": (1, 3, 48, 320)})
    assert _shapes(model) == {"x": (1, 3, 48, 320)}


def test_old_inner_shapes_are_forgotten(build):
    model = build(BATCH)
    fix_input_shapes(model, {"x": (4, 3, 8, 8)})
    assert model.graph.outputs[0].shape == (4, 3, 8, 8)


@pytest.mark.parametrize("stale", [(1, 3), (3,), (2, 4), None])
def test_shapes_inside_follow_from_the_inputs_whatever_the_file_says(build, stale):
    model = build("g (float[2,3] x) => (float[2,3] y) { h = Relu(x)  y = Neg(h) }")
    for node in model.graph:
        node.outputs[0].shape = stale and ir.Shape(stale)
    fix_input_shapes(model)
    assert [node.outputs[0].shape for node in model.graph] == [(2, 3), (2, 3)]


@pytest.mark.parametrize(("rows", "known"), [("2", (2, 3)), ("N", None)])
def test_what_cannot_be_inferred_stays_as_declared_if_the_inputs_do(build, rows, known):
    model = build(f"g (float[{rows},3] x) => (float[2,3] y) {{ y = my.own.Foo(x) }}")
    fix_input_shapes(model)
    assert model.graph.outputs[0].shape == known and model.graph.outputs[0].dtype == ir.DataType.FLOAT


def test_a_value_of_another_type_than_its_operator_gives_is_refused(build):
    model = build(STATIC)
    model.graph.outputs[0].dtype = ir.DataType.INT64
    with pytest.raises(ModelError, match="'y' is declared as INT64, Relu gives FLOAT; export the model again"):
        fix_input_shapes(model)


@pytest.mark.parametrize(
    ("text", "given", "message"),
    [
        (UNNAMED, None, r"input 'x' has open dimensions \[\?, 3, \?, \?\]; give its shape, for instance --input-shape x=1,3,224,224"),
        (TOKENS, None, r"input 'ids' has open dimensions \[batch, seq\]; .*--input-shape ids=1,128"),
        (SEQUENCE, None, r"input 'x' has open dimensions \[seq_len, 64\]"),
        (VECTOR, None, r"input 'x' has open dimensions \[n\]"),
        (BATCH, {"z": (1,)}, r"no input 'z'; it has 'x' \[N, 3, 8, 8\]"),
        (BATCH, {"x": (1, 3, 8)}, r"4 dimensions \[N, 3, 8, 8\], the shape given has 3: \[1, 3, 8\]"),
        (BATCH, {"x": (0, 3, 8, 8)}, r"\[0, 3, 8, 8\]; every dimension must be at least 1"),
        (BATCH, {"x": (1, 4, 8, 8)}, r"fixed to \[N, 3, 8, 8\] in the file; the shape given, \[1, 4, 8, 8\], does not fit"),
        (TOKENS, {"ids": (1, 8), "mask": (1, 9)}, r"dimension 'seq' is given twice, as 8 and, in input 'mask', as 9"),
    ],
)
def test_mistakes_are_told_in_one_line(build, text, given, message):
    with pytest.raises(ModelError, match=message) as caught:
        fix_input_shapes(build(text), given)
    assert "\n" not in str(caught.value)


def test_inputs_must_be_tensors_of_known_rank(build):
    model = build(STATIC)
    model.graph.inputs[0].shape = None
    with pytest.raises(ModelError, match="has no shape in the file"):
        fix_input_shapes(model)
    model.graph.inputs[0].type = ir.SequenceType(ir.TensorType(ir.DataType.FLOAT))
    with pytest.raises(ModelError, match="is not a tensor"):
        fix_input_shapes(model)
