import numpy as np
import pytest

from spcompile.errors import DataError, ModelError
from spcompile.ir.session import Session, run

TEXT = "g (float[2,3] x) => (float[2,3] y) { a = Relu(x)  b = Neg(a)  y = Add(b, w) }"
W = np.array([1, 2, 3], np.float32)


@pytest.fixture(scope="module")
def model(build):
    return build(TEXT, w=W)


@pytest.fixture(scope="module")
def data() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(6, 3)).astype(np.float32)


def test_batches_are_joined(model, data):
    np.testing.assert_allclose(run(model, {"x": data}, threads=2)["y"], W - np.maximum(data, 0))


def test_inner_values_and_inputs_can_be_asked_for(model, data):
    found = run(model, {"x": data}, ["b", "x", "a", "b"])
    assert list(found) == ["b", "x", "a"]
    np.testing.assert_array_equal(found["x"], data)
    np.testing.assert_array_equal(found["a"], np.maximum(data, 0))
    np.testing.assert_array_equal(run(model, {"x": data}, ["x"])["x"], data)
    assert [value.name for value in model.graph.outputs] == ["y"]


def test_batches_come_one_by_one(model, data):
    batches = list(Session(model, ["a"]).batches({"x": data}))
    assert [batch["a"].shape for batch in batches] == [(2, 3)] * 3


@pytest.mark.parametrize(
    ("feeds", "message"),
    [
        ({"z": np.zeros((2, 3), np.float32)}, "the model's inputs are x; the data is for z"),
        ({}, "the data is for none"),
        ({"x": np.zeros((2, 3))}, "takes float32, the data is float64"),
        ({"x": np.zeros((2, 4), np.float32)}, r"takes shape \[2, 3\] .*, the data is \[2, 4\]"),
        ({"x": np.zeros((3, 3), np.float32)}, r"the data is \[3, 3\]"),
        ({"x": np.zeros((0, 3), np.float32)}, r"the data is \[0, 3\]"),
        ({"x": np.zeros(3, np.float32)}, r"the data is \[3\]"),
    ],
)
def test_data_that_does_not_fit(model, feeds, message):
    with pytest.raises(DataError, match=message):
        run(model, feeds)


def test_inputs_need_equally_many_samples(build):
    model = build("g (float[1,3] a, float[1,3] b) => (float[1,3] y) { y = Add(a, b) }")
    with pytest.raises(DataError, match="different numbers of samples: a 2, b 3"):
        run(model, {"a": np.zeros((2, 3), np.float32), "b": np.zeros((3, 3), np.float32)})


def test_scalar_inputs(build):
    model = build("g (float a) => (float y) { y = Neg(a) }")
    assert run(model, {"a": np.array(2, np.float32)})["y"] == -2
    for form in ((1,), (2, 3)):
        with pytest.raises(DataError, match=r"takes shape \[\], one number for all samples, the data is \["):
            run(model, {"a": np.zeros(form, np.float32)})


def test_a_scalar_beside_batches_is_in_each(build):
    model = build("g (float a, float[1,2] x) => (float[1,2] y) { y = Mul(a, x) }")
    x = np.arange(6, dtype=np.float32).reshape(3, 2)
    np.testing.assert_array_equal(run(model, {"a": np.array(2, np.float32), "x": x})["y"], 2 * x)


def test_models_that_onnx_runtime_refuses(build, capfd):
    with pytest.raises(ModelError, match=r"ONNX Runtime cannot open the model: .*twice") as caught:
        Session(build("g (float[3] x) => (float[3] y) { y = test.twice(x) }"))
    assert "\n" not in str(caught.value)
    with pytest.raises(ModelError, match=r"ONNX Runtime cannot run the model: .*Reshape"):
        run(build("g (float[3] x) => (float[a,b] y) { s = Shape(x)  t = Concat<axis=0>(s, two)  y = Reshape(x, t) }", two=np.array([2])), {"x": W})
    assert capfd.readouterr() == ("", "")
