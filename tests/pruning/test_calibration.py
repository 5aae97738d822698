"""Reading, checking and making up inputs."""

import errno
import os
from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir
import pytest
import torch
from PIL import Image

from spcompile.errors import DataError
from spcompile.pruning import Preprocessing, calibration_from, load_calibration, load_labelled, random_calibration, top1
from spcompile.pruning.calibration import parted, samples
from tests.pruning.samples import images, network

TWO = """
<ir_version: 10, opset_import: ["" : 18]>
two (int64[2, 4] ids, float[2, 4] scale) => (float[2, 4] y) { f = Cast <to = 1> (ids)  y = Mul (f, scale) }
"""


def two() -> ir.Model:
    return ir.from_proto(onnx.parser.parse_model(TWO))


def saved(tmp_path, **arrays):
    path = tmp_path / "data.npz"
    np.savez(path, **arrays)
    return path


@pytest.mark.parametrize("key", ["image", "anything"])
def test_one_input_takes_its_array_by_any_name(tmp_path, key):
    loaded = load_calibration(saved(tmp_path, **{key: images(5), "labels": np.arange(5)}), network())
    assert np.array_equal(loaded.feeds["image"], images(5)) and not loaded.notes


def test_double_precision_is_taken(tmp_path):
    loaded = load_calibration(saved(tmp_path, image=images(5).astype(np.float64)), network())
    assert loaded.feeds["image"].dtype == np.float32


@pytest.mark.parametrize("form", [torch.from_numpy, np.ndarray.tolist], ids=["tensor", "list"])
def test_tensors_and_lists_are_arrays(form):
    for given in (form(images(5)), {"image": form(images(5))}):
        np.testing.assert_array_equal(calibration_from(given, network()).feeds["image"], images(5))


def test_whole_batches_are_taken_up_to_the_limit(tmp_path):
    path = saved(tmp_path, ids=np.ones((7, 4), np.int64), scale=np.random.default_rng(0).random((7, 4), np.float32))
    assert {name: len(array) for name, array in load_calibration(path, two()).feeds.items()} == {"ids": 6, "scale": 6}
    assert {name: len(array) for name, array in load_calibration(path, two(), limit=2).feeds.items()} == {"ids": 4, "scale": 4}


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros((4, 12, 12, 3), np.float32), r"takes shape \[N, 3, 12, 12\], the data is \[4, 12, 12, 3\]"),
        (np.zeros((4, 3, 12, 12), np.uint8), "takes float32, the data is uint8"),
        (np.full((4, 3, 12, 12), np.nan, np.float32), "holds NaN or infinity"),
        (np.full((4, 3, 12, 12), np.inf, np.float32), "holds NaN or infinity"),
        (np.zeros((0, 3, 12, 12), np.float32), "0 samples for input 'image'"),
    ],
)
def test_what_does_not_fit_is_one_clear_line(tmp_path, array, message):
    with pytest.raises(DataError, match=message) as caught:
        load_calibration(saved(tmp_path, image=array), network())
    assert "\n" not in str(caught.value)


def test_missing_inputs_are_named(tmp_path):
    with pytest.raises(DataError, match="no array for input scale; it holds ids, the model takes ids, scale"):
        load_calibration(saved(tmp_path, ids=np.ones((2, 4), np.int64)), two())


def test_inputs_of_different_lengths(tmp_path):
    with pytest.raises(DataError, match="different numbers of samples: ids 2, scale 4"):
        load_calibration(saved(tmp_path, ids=np.ones((2, 4), np.int64), scale=np.ones((4, 4), np.float32)), two())


def test_constant_data_warns(tmp_path):
    loaded = load_calibration(saved(tmp_path, image=np.repeat(images(1), 4, axis=0)), network())
    assert "every calibration sample for input 'image' is the same" in loaded.notes[0]


@pytest.mark.parametrize("content", [b"", b"not an archive", b"PK\x03\x04 truncated", b"\x93NUMPY", b"\x80\x04K."])
def test_files_that_are_no_archive(tmp_path, content):
    path = tmp_path / "data.npz"
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"give an .npz file or a folder of images") as caught:
        load_calibration(path, network())
    assert "\n" not in str(caught.value) and "pickle" not in str(caught.value)


def test_labels_come_from_no_folder(tmp_path):
    with pytest.raises(DataError, match=r"\(Is a directory\); give an .npz file$"):
        load_labelled(tmp_path, network())


def test_a_path_that_is_not_there(tmp_path):
    with pytest.raises(DataError, match="no such file or folder"):
        load_calibration(tmp_path / "absent.npz", network())


def test_a_folder_of_images(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (12, 12, 3), np.uint8)
    (tmp_path / "deeper").mkdir()
    Image.fromarray(pixels).save(tmp_path / "b.png")
    Image.fromarray(255 - pixels).convert("L").resize((30, 20)).save(tmp_path / "deeper" / "c.png")
    (tmp_path / "readme.txt").write_text("no image")
    loaded = load_calibration(tmp_path, network())
    assert loaded.feeds["image"].shape == (2, 3, 12, 12)
    np.testing.assert_allclose(loaded.feeds["image"][0], pixels.transpose(2, 0, 1) / np.float32(255), rtol=1e-6)
    assert "RGB / 255" in loaded.notes[0]
    own = load_calibration(tmp_path, network(), Preprocessing((1.0, 2.0, 3.0), (4.0, 5.0, 6.0), bgr=True))
    assert not own.notes
    np.testing.assert_allclose(own.feeds["image"][0, 2], (pixels[:, :, 0] - np.float32(3)) / 6, rtol=1e-6)


def test_folders_that_do_not_serve(tmp_path):
    with pytest.raises(DataError, match="no images in"):
        load_calibration(tmp_path, network())
    (tmp_path / "broken.png").write_bytes(b"not a picture")
    with pytest.raises(DataError, match=r"broken.png cannot be read as an image"):
        load_calibration(tmp_path, network())
    with pytest.raises(DataError, match="is a folder of images, the model takes ids"):
        load_calibration(tmp_path, two())


def test_what_may_not_be_read_is_told_with_the_reason(tmp_path, monkeypatch):
    def refused(*_):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    (tmp_path / "a.png").write_bytes(b"")
    monkeypatch.setattr(Image, "open", refused)
    with pytest.raises(DataError, match=r"a.png cannot be read as an image \(Permission denied\)"):
        load_calibration(tmp_path, network())
    monkeypatch.setattr(Path, "iterdir", refused)
    with pytest.raises(PermissionError):
        load_calibration(tmp_path, network())


def test_random_inputs_fit_the_model():
    made = random_calibration(two(), seed=1, samples=3)
    assert {name: (array.shape, array.dtype) for name, array in made.feeds.items()} == {"ids": ((6, 4), np.int64), "scale": ((6, 4), np.float32)}
    assert np.array_equal(made.feeds["scale"], random_calibration(two(), seed=1, samples=3).feeds["scale"])


SCALED = """
<ir_version: 10, opset_import: ["" : 18]>
scaled (float scale, float[2, 4] x, bool on) => (float[2, 4] y) { z = Mul (scale, x)  f = Cast <to = 1> (on)  y = Mul (z, f) }
"""


def scaled() -> ir.Model:
    return ir.from_proto(onnx.parser.parse_model(SCALED))


class TestInputsWithoutAxes:
    """One number, for all samples."""

    x = np.random.default_rng(0).random((6, 4), np.float32)

    def test_made_up(self):
        made = random_calibration(scaled(), samples=3)
        found = {name: (array.shape, array.dtype) for name, array in made.feeds.items()}
        assert found == {"scale": ((), np.float32), "x": ((6, 4), np.float32), "on": ((), bool)}

    @pytest.mark.parametrize("scale", [0.5, np.float32(0.5), np.array(0.5)])
    def test_given(self, scale):
        given = calibration_from({"scale": scale, "x": self.x, "on": True}, scaled())
        assert given.feeds["scale"].shape == () and given.feeds["scale"] == np.float32(0.5) and given.feeds["scale"].dtype == np.float32
        assert samples(given, scaled()) == 3 and not given.notes
        rest, drawn = parted(given, scaled(), 1, seed=0)
        assert (len(rest.feeds["x"]), len(drawn.feeds["x"])) == (4, 2) and rest.feeds["scale"] == drawn.feeds["scale"] == 0.5

    def test_from_a_file_with_labels(self, tmp_path):
        path = saved(tmp_path, scale=np.float32(2), x=self.x, on=np.array(True), labels=self.x.argmax(1))
        labelled = load_labelled(path, scaled(), limit=2)
        assert len(labelled.labels) == 4 and top1(scaled(), labelled) == 1

    @pytest.mark.parametrize("scale", [np.ones(1, np.float32), np.ones(6, np.float32), np.ones((0,), np.float32)])
    def test_more_than_one_number_is_refused(self, scale):
        with pytest.raises(DataError, match=r"input 'scale' takes shape \[\], one number for all samples, the data is \[\d\]$"):
            calibration_from({"scale": scale, "x": self.x, "on": True}, scaled())

    def test_nothing_else_varies(self):
        alone = ir.from_proto(onnx.parser.parse_model('<ir_version: 10, opset_import: ["" : 18]> g (float a) => (float y) { y = Neg (a) }'))
        assert samples(calibration_from(0.5, alone), alone) == samples(random_calibration(alone), alone) == 1


def test_the_digest_tells_data_apart():
    one, same, other = (calibration_from(images(3, seed), network()).digest for seed in (1, 1, 2))
    assert one == same != other


def test_accuracy_counts_the_right_ones(tmp_path):
    model, x = network(), images(40)
    from spcompile.ir.session import run

    right = run(model, {"image": x})["scores"].argmax(1)
    labels = np.where(np.arange(40) < 30, right, (right + 1) % 5)
    labelled = load_labelled(saved(tmp_path, image=x, y=labels), model)
    assert top1(model, labelled) == 30 / 40
    assert len(load_labelled(saved(tmp_path, image=x, label=labels[:, None]), model, limit=8).labels) == 8


def test_arrays_that_the_model_does_not_take_count_nothing(tmp_path):
    more = {"version": np.int64(1), "class_names": np.array(["a"] * 100)}
    assert len(load_labelled(saved(tmp_path, image=images(6), y=np.zeros(6, np.int64), **more), network()).labels) == 6


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ({}, "has no labels; give them as an array named labels or label or y"),
        ({"labels": np.zeros(3, np.int64)}, "labels must be 4 integers"),
        ({"labels": np.zeros(4, np.float32)}, "labels must be 4 integers"),
    ],
)
def test_labels_that_do_not_fit(tmp_path, labels, message):
    with pytest.raises(DataError, match=message):
        load_labelled(saved(tmp_path, image=images(4), **labels), network())


def test_classes_the_model_does_not_have(tmp_path):
    with pytest.raises(DataError, match="labels run from 0 to 7, the model has classes 0 to 4"):
        top1(network(), load_labelled(saved(tmp_path, image=images(2), labels=np.array([0, 7])), network()))
