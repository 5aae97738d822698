"""The demo's network, compiled once for this machine and once for ARM, as a user would on the command line."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from spcompile.cli import main

DEMO = Path(__file__).parents[2] / "examples/fashion_mnist"
DATA = ["--calib", str(DEMO / "calibration.npz"), "--eval", str(DEMO / "test.npz")]


@pytest.fixture(scope="session")
def demo() -> SimpleNamespace:
    return SimpleNamespace(model=str(DEMO / "model.onnx"), calibration=str(DEMO / "calibration.npz"), test=str(DEMO / "test.npz"))


@pytest.fixture(scope="session")
def for_host(tmp_path_factory) -> SimpleNamespace:
    return _compiled(tmp_path_factory.mktemp("host"), "host")


@pytest.fixture(scope="session")
def for_arm(tmp_path_factory) -> SimpleNamespace:
    return _compiled(tmp_path_factory.mktemp("arm"), "arm")


def _compiled(folder: Path, target: str) -> SimpleNamespace:
    code = main([str(DEMO / "model.onnx"), "--target", target, "--budget", "1.8x", *DATA, "-o", str(folder / "artifact"), "--quiet"])
    return SimpleNamespace(code=code, folder=folder / "artifact")
