from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spcompile.errors import ModelError
from spcompile.ir.onnx_frontend import load_onnx
from spcompile.ir.session import run

TEXT = "g (float[N,6] x) => (float[N,4] y) { y = Gemm(x, w, b) }"
ARRAYS = {"w": np.arange(24, dtype=np.float32).reshape(6, 4), "b": np.ones(4, np.float32)}


@pytest.fixture(scope="module")
def proto(build) -> onnx.ModelProto:
    proto = ir.to_proto(build(TEXT, **ARRAYS))
    del proto.opset_import[1:]  # a file cut before the last of several is whole in itself
    return proto


@pytest.fixture
def path(proto, tmp_path) -> Path:
    onnx.save(proto, tmp_path / "model.onnx")
    return tmp_path / "model.onnx"


def _check(model: ir.Model) -> None:
    feed = np.arange(6, dtype=np.float32)[None]
    np.testing.assert_allclose(run(model, {"x": feed})["y"], feed @ ARRAYS["w"] + ARRAYS["b"])


@pytest.mark.parametrize("kind", [str, Path])
def test_a_file_becomes_a_static_model(path, kind):
    _check(load_onnx(kind(path)))


def test_a_proto_is_not_changed(proto):
    before = proto.SerializeToString(deterministic=True)
    _check(load_onnx(proto))
    assert proto.SerializeToString(deterministic=True) == before


def test_initializers_listed_as_inputs_are_constants(proto):
    listed = onnx.ModelProto()
    listed.CopyFrom(proto)
    listed.ir_version = 3
    listed.graph.input.append(onnx.helper.make_tensor_value_info("w", onnx.TensorProto.FLOAT, [6, 4]))
    model = load_onnx(listed)
    assert [value.name for value in model.graph.inputs] == ["x"]
    _check(model)


def test_external_data_is_read_into_memory(proto, tmp_path):
    external = onnx.ModelProto()
    external.CopyFrom(proto)
    path = tmp_path / "model.onnx"
    onnx.save(external, path, save_as_external_data=True, location="weights.bin", size_threshold=0)
    model = load_onnx(path)
    (tmp_path / "weights.bin").unlink()
    _check(model)
    with pytest.raises(ModelError, match=r"weights\.bin, which is missing"):
        load_onnx(path)
    (tmp_path / "weights.bin").write_bytes(b"short")
    with pytest.raises(ModelError, match=r"cut short: weight '\w' ends at byte \d+, the file at 5"):
        load_onnx(path)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "holds no graph"),
        (b"PK\x03\x04 a zip file, say", "is not an ONNX file"),
        (b"\x89PNG\r\n\x1a\n", "is not an ONNX file"),
        (b"\x08\x08", "holds no graph"),
    ],
)
def test_other_files_are_refused(tmp_path, data, message):
    path = tmp_path / "model.onnx"
    path.write_bytes(data)
    with pytest.raises(ModelError, match=message):
        load_onnx(path)


def test_missing_file(tmp_path):
    with pytest.raises(ModelError, match=r"cannot read the model .*: No such file"):
        load_onnx(tmp_path / "none.onnx")


@given(share=st.floats(0.05, 0.99))
@settings(max_examples=25, deadline=None)
def test_a_truncated_file_is_told(proto, tmp_path_factory, share):
    data = proto.SerializeToString()
    path = tmp_path_factory.mktemp("cut") / "model.onnx"
    path.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(ModelError, match=r"cut short|holds no graph") as caught:
        load_onnx(path)
    assert "\n" not in str(caught.value)


@given(changes=st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), min_size=1, max_size=8))
@settings(max_examples=100, deadline=None)
def test_a_damaged_file_loads_or_is_refused_in_one_line(proto, tmp_path_factory, changes):
    data = bytearray(proto.SerializeToString())
    for place, byte in changes:
        data[place % len(data)] = byte
    path = tmp_path_factory.mktemp("damaged") / "model.onnx"
    path.write_bytes(data)
    try:
        model = load_onnx(path)
    except ModelError as error:
        model = error
    assert isinstance(model, ir.Model) or "\n" not in str(model)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("g (float[1] x) => (float[1] y) { y = Relu(z) }", "sorted, however input 'z' of node: name: OpType: Relu is not output of any previous nodes.$"),
        ("g (float[1] x) => (float[1] y) { [odd] y = Relu<to=1>(x) }", "is not a valid ONNX model: Unrecognized attribute: to for operator Relu .*Name: odd"),
        ("g (float[1] x) => (float[1] y) { y = NoSuchOperator(x) }", "is not a valid ONNX model: No Op registered for NoSuchOperator"),
        ("g (float[1] x) => () { y = Relu(x) }", "has no outputs"),
        ("g (float[] x) => (float[] y) { y = Relu(x) }", "input 'x' has no shape in the file, not even a rank; export the model again with input shapes"),
    ],
)
def test_graphs_that_do_not_hold_together(text, message):
    with pytest.raises(ModelError, match=message):
        load_onnx(onnx.parser.parse_model(f'<ir_version: 8, opset_import: ["" : 18]> {text}'))


def test_outputs_need_no_shape(proto):
    bare = onnx.ModelProto()
    bare.CopyFrom(proto)
    bare.graph.output[0].type.tensor_type.ClearField("shape")
    assert load_onnx(bare).graph.outputs[0].shape == load_onnx(proto).graph.outputs[0].shape
