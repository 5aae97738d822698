"""The demo's network and data, as they ship."""

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest

FOLDER = Path(__file__).parents[2] / "examples/fashion_mnist"


@pytest.fixture
def network(monkeypatch):
    """The module that train.py imports too."""
    monkeypatch.syspath_prepend(FOLDER)
    import network

    return network


def logits(pixels: np.ndarray) -> np.ndarray:
    """float32 [n, 1, 28, 28] -> [n, 10], by ONNX Runtime."""
    session = onnxruntime.InferenceSession(FOLDER / "model.onnx")
    return np.concatenate([session.run(["logits"], {"pixels": image[None]})[0] for image in pixels])


def test_accuracy_is_what_the_readme_says():
    data = np.load(FOLDER / "test.npz")
    correct = int((logits(data["x"]).argmax(1) == data["y"]).sum())
    assert correct >= 910
    assert f"| top-1 of test.npz, ONNX Runtime | {correct / 10:.1f} % |" in (FOLDER / "README.md").read_text()


def test_model_is_whole_and_says_nothing_of_where_it_was_made():
    model = onnx.load(FOLDER / "model.onnx")
    onnx.checker.check_model(model, full_check=True)
    assert model.opset_import[0].version == 18
    assert not any(node.metadata_props or node.doc_string for node in model.graph.node)


@pytest.mark.parametrize(("name", "count"), [("calibration", 256), ("test", 1000)])
def test_data_is_what_the_model_eats(name, count):
    data = np.load(FOLDER / f"{name}.npz")
    assert data["x"].shape == (count, 1, 28, 28)
    assert data["x"].dtype == np.float32
    assert set(np.unique(data["x"])) <= set(range(256))
    assert data["y"].shape == (count,)
    assert set(np.bincount(data["y"])) <= {count // 10, -(-count // 10)}


def test_calibration_images_are_none_of_the_test_images():
    calibration, test = ({image.tobytes() for image in np.load(FOLDER / f"{name}.npz")["x"]} for name in ("calibration", "test"))
    assert not calibration & test


def test_torch_module_computes_what_the_file_does(network):
    import torch

    pixels = np.load(FOLDER / "calibration.npz")["x"][:8]
    with torch.no_grad():
        np.testing.assert_allclose(network.trained()(torch.tensor(pixels)).numpy(), logits(pixels), atol=1e-4)


def test_repository_stays_small():
    assert sum(path.stat().st_size for path in FOLDER.iterdir() if path.is_file()) < 3e6
