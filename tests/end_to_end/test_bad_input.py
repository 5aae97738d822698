"""Every mistake: one clear line on standard error, exit code 2, nothing written."""

import errno
from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir
import pytest

from spcompile.cli import main
from spcompile.runtime import artifact


@pytest.fixture
def complain(tmp_path, monkeypatch, capsys):
    """complain(words) -> the line; the folder must be as it was."""
    monkeypatch.chdir(tmp_path)

    def complain(*words: str) -> str:
        before = sorted(path for path in tmp_path.rglob("*"))
        code = main([str(word) for word in words])
        lines = capsys.readouterr().err.strip().splitlines()
        assert code == 2 and lines[-1].startswith("spcompile: error: "), (code, lines)
        assert sum(line.startswith("spcompile: error") for line in lines) == 1 and not any("Traceback" in line for line in lines)
        assert sorted(path for path in tmp_path.rglob("*")) == before
        return lines[-1]

    return complain


def compile_words(demo, **changed) -> list[str]:
    words = {"target": "host", "budget": "2x", "output": "out"} | changed
    return [changed.pop("model", demo.model), *(part for key, value in words.items() if key != "model" for part in (f"--{key}", str(value)))]


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"target": "cortx-a72"}, "cortex-a72"),
        ({"budget": "3"}, "no unit"),
        ({"budget": "-1ms"}, "negative"),
        ({"budget": "abc"}, "not a number"),
        ({"budget": "0ms"}, "zero"),
        ({"patterns": "block5x1"}, "block4x1"),
        ({"pruner": "magntude"}, "magnitude"),
        ({"patterns": "2:4,channel", "pruner": "sparsegpt"}, "pruner sparsegpt cannot prune to channel"),
        ({"recover": "10min"}, "--calib"),
        ({"recover": "10", "calib": "any.npz"}, "duration '10' has no unit: a duration is written 30s, 10min or 2h"),
        ({"recover": "0s", "calib": "any.npz"}, "zero"),
        ({"recover": "-1min", "calib": "any.npz"}, "negative"),
        ({"recover": "abc", "calib": "any.npz"}, "not a number"),
        ({"model": "absent.onnx"}, "absent.onnx"),
        ({"calib": "absent.npz"}, "absent.npz"),
        ({"input-shape": "nothing=1,2"}, "nothing"),
        ({"threads": "0"}, "whole number"),
        ({"seed": "-1"}, "whole number"),
        ({"target": "absent.toml"}, "absent.toml"),
    ],
)
def test_arguments(demo, complain, changed, said):
    assert said in complain(*compile_words(demo, **changed))


def test_not_an_onnx_file(demo, complain, tmp_path):
    (tmp_path / "text.onnx").write_text("this is no model")
    assert "text.onnx" in complain(*compile_words(demo, model="text.onnx"))


def test_truncated_file(demo, complain, tmp_path):
    (tmp_path / "half.onnx").write_bytes(Path(demo.model).read_bytes()[:100_000])
    assert "half.onnx" in complain(*compile_words(demo, model="half.onnx"))


@pytest.mark.parametrize("target", ["host", "zcu104"])
def test_a_parameter_that_is_no_number(demo, complain, tmp_path, target):
    model = ir.load(demo.model)
    name, value = next((name, value) for name, value in model.graph.initializers.items() if len(value.shape) == 4)
    array = value.const_value.numpy().copy()
    array[0, 0] = np.nan
    value.const_value = ir.tensor(array, name=name)
    ir.save(model, tmp_path / "diverged.onnx")
    assert f"initializer '{name}' holds NaN or infinity" in complain(*compile_words(demo, model="diverged.onnx", target=target))


def test_external_data_missing(demo, complain, tmp_path):
    onnx.save(onnx.load(demo.model), tmp_path / "big.onnx", save_as_external_data=True, location="big.data", size_threshold=0)
    (tmp_path / "big.data").unlink()
    assert "big.data" in complain(*compile_words(demo, model="big.onnx"))


@pytest.mark.parametrize(("line", "said"), [("clock_hz = -1", "clock_hz"), ('clock_hz = "fast"', "clock_hz"), ("colour = 3", "colour")])
def test_device_file_with_a_wrong_number(demo, complain, tmp_path, line, said):
    (tmp_path / "board.toml").write_text(f'description = "mine"\nbase = "cortex-a53"\n{line}\n')
    message = complain(*compile_words(demo, target="board.toml"))
    assert "board.toml" in message and said in message


def test_device_file_with_a_missing_number(demo, complain, tmp_path):
    (tmp_path / "board.toml").write_text('description = "mine"\nfamily = "cpu"\ntriple = "aarch64-linux-gnu"\n')
    assert "board.toml" in complain(*compile_words(demo, target="board.toml"))


@pytest.mark.parametrize(
    ("array", "said"),
    [
        (np.zeros((4, 3, 28, 28), np.float32), "28"),
        (np.full((4, 1, 28, 28), np.nan, np.float32), "NaN"),
        (np.zeros((0, 1, 28, 28), np.float32), "0 samples"),
        (np.array([["a"]]), ""),
    ],
    ids=["shape", "nan", "empty", "type"],
)
def test_calibration(demo, complain, tmp_path, array, said):
    np.savez(tmp_path / "data.npz", pixels=array)
    assert said.lower() in complain(*compile_words(demo, calib="data.npz")).lower()


def test_folder_without_images(demo, complain, tmp_path):
    (tmp_path / "pictures").mkdir()
    (tmp_path / "pictures/notes.txt").write_text("none yet")
    assert "pictures" in complain(*compile_words(demo, calib="pictures"))


def test_evaluation_without_labels(demo, complain, tmp_path):
    np.savez(tmp_path / "data.npz", pixels=np.ones((4, 1, 28, 28), np.float32))
    assert "labels" in complain(*compile_words(demo, eval="data.npz"))


def test_output_folder_not_empty(demo, complain, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out/precious.txt").write_text("mine")
    assert "--force" in complain(*compile_words(demo))
    assert "no artifact" in complain(*compile_words(demo), "--force")


def test_unsupported_operator_is_named(build, complain, demo, tmp_path):
    model = build("g (float[1,3,8,8] x) => (float[1,3,8,8] y) { y = Acos(x) }")
    ir.save(model, tmp_path / "odd.onnx")
    assert "Acos" in complain(*compile_words(demo, model="odd.onnx"))


ODD = {  # a model that does not hold together, or does not fit what is asked of it -> what is said
    "a bias of another size": ("g (float[1,3] x) => (float[1,4] y) { y = Gemm(x,w,b) }", {"w": (3, 4), "b": (5,)}, "cannot run the model"),
    "slopes of another size": ("g (float[1,4] x) => (float[1,4] y) { y = PRelu(x,s) }", {"s": (5,)}, "ONNX Runtime"),
    "scales of another size": ("g (float[1,3] x) => (float[1,3] y) { y = LayerNormalization(x,s) }", {"s": (4,)}, "ONNX Runtime"),
    "another kernel shape": ("g (float[1,3,8,8] x) => (float[1,2,N,M] y) { y = Conv<kernel_shape=[2,2]>(x,w) }", {"w": (2, 3, 3, 3)}, "ONNX Runtime"),
    "an image too small": (
        "g (float[1,3,4,4] x) => (float[1,2] y) { a = Conv(x,w) p = GlobalAveragePool(a) f = Flatten(p) y = Gemm(f,v) }",
        {"w": (8, 3, 5, 5), "v": (8, 2)},
        "too small",
    ),
    "an image far too small": (
        "g (float[1,3,2,2] x) => (float[1,8,N,M] y) { a = MaxPool<kernel_shape=[5,5]>(x) y = Conv(a,w) }",
        {"w": (8, 3, 1, 1)},
        "too small",
    ),
    "training mode": (
        "g (float[1,3] x) => (float[1,3] y) { r = Constant<value=float {0.5}>() t = Constant<value=bool {1}>() y = Dropout(x,r,t) }",
        {},
        "(Dropout) is in training mode",
    ),
}


@pytest.mark.parametrize("name", ODD)
def test_models_that_do_not_hold_together(build, complain, demo, tmp_path, name):
    text, shapes, said = ODD[name]
    ir.save(build(text, **{key: np.ones(shape, np.float32) for key, shape in shapes.items()}), tmp_path / "odd.onnx")
    assert said in complain(*compile_words(demo, model="odd.onnx"))


def test_sparse_initializers(complain, demo, tmp_path):
    values = onnx.helper.make_tensor("w", onnx.TensorProto.FLOAT, [1], [1.0])
    places = onnx.helper.make_tensor("w_places", onnx.TensorProto.INT64, [1], [0])
    info = onnx.helper.make_tensor_value_info
    ends = [info("x", onnx.TensorProto.FLOAT, [1, 2])], [info("y", onnx.TensorProto.FLOAT, [1, 2])]
    nodes = [onnx.helper.make_node("MatMul", ["x", "w"], ["y"])]
    graph = onnx.helper.make_graph(nodes, "g", *ends, sparse_initializer=[onnx.helper.make_sparse_tensor(values, places, [2, 2])])
    onnx.save(onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 18)], ir_version=10), tmp_path / "odd.onnx")
    assert "sparse initializers (w)" in complain(*compile_words(demo, model="odd.onnx"))


def test_dynamic_shape_asks_for_one(build, complain, demo, tmp_path):
    ir.save(build("g (float[1,3,H,W] x) => (float[1,3,H,W] y) { y = Relu(x) }"), tmp_path / "open.onnx")
    assert "--input-shape x=" in complain(*compile_words(demo, model="open.onnx"))


def test_disk_full(demo, complain, monkeypatch):
    """Found while the artifact is written: the half-written folder is removed."""

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device", "values.npy")

    monkeypatch.setattr(artifact, "write_program", full)
    assert "No space left" in complain(*compile_words(demo, budget="1x"))


def test_interrupted_leaves_nothing(demo, tmp_path, monkeypatch, capsys):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(artifact, "write_manifest", interrupt)
    assert main([demo.model, "--target", "arm", "--budget", "1x", "-o", str(tmp_path / "out"), "--quiet"]) == 130
    assert list(tmp_path.iterdir()) == [] and "interrupted" in capsys.readouterr().err
