"""A small real network, compiled as a user would, as it should be and with slowdowns planted in it."""

import shutil
from pathlib import Path
from runpy import run_path
from types import SimpleNamespace

import numpy as np
import onnx_ir as ir
import pytest

from spcompile.check.figures import Environment, Layer, Snapshot, Times
from spcompile.cli import main
from spcompile.verdict import Verdict

TEXT = """g (float[1,16,16,16] x) => (float[1,10] y)
{ [first] a = Conv<pads=[1,1,1,1]>(x, w, b)  r = Relu(a)  [second] c = Conv(r, v, d)  s = Relu(c)  p = GlobalAveragePool(s)  f = Flatten(p)
  [last] y = MatMul(f, u) }"""
SHAPES = {"w": (32, 16, 3, 3), "b": (32,), "v": (64, 32, 1, 1), "d": (64,), "u": (64, 10)}


@pytest.fixture(scope="session")
def model(build, tmp_path_factory) -> Path:
    rng = np.random.default_rng(0)
    path = tmp_path_factory.mktemp("model") / "net.onnx"
    ir.save(build(TEXT, **{name: rng.standard_normal(shape).astype(np.float32) for name, shape in SHAPES.items()}), path)
    return path


@pytest.fixture(scope="session")
def compiled(model, tmp_path_factory):
    """compiled(target, budget, ...) -> a new artifact's folder."""

    def compiled(target: str = "x86-avx2", budget: str = "1.6x", *words: str) -> Path:
        folder = tmp_path_factory.mktemp("artifacts") / f"{target}.spc"
        assert main([str(model), "--target", target, "--budget", budget, "--patterns", "unstructured", "-o", str(folder), "--quiet", *words]) in (0, 1)
        return folder

    return compiled


@pytest.fixture(scope="session")
def artifact(compiled) -> Path:
    return compiled()


@pytest.fixture(scope="session")
def planted() -> SimpleNamespace:
    """Slowdowns to compile with: benchmarks/planted.py."""
    return SimpleNamespace(**run_path(str(Path(__file__).parents[2] / "benchmarks" / "planted.py")))


@pytest.fixture
def sample() -> Snapshot:
    """Invented figures of a model of two layers."""
    figures = {"macs": 1000.0, "predicted_cycles": 500.0, "instructions": 700.0, "simulated_cycles": 480.0}
    layers = tuple(Layer(name, ("f32_spmm",), {figure: value * scale for figure, value in figures.items()}) for name, scale in (("conv", 3), ("fc", 1)))
    total = {name: 4 * value for name, value in figures.items()} | {"weight_bytes": 4000, "workspace_bytes": 2000, "code_bytes": 9000, "accuracy": 0.915}
    environment = Environment("a CPU", "ab" * 32, 1, {"python": "3.11.7", "numpy": "2.4.6"})
    times = Times(1e-3, 0.004, 1.1e-3, 1.0e-3, 1.3e-3, 3, 300)
    return Snapshot("net", "0" * 64, "zen4", "1" * 64, 1, {"llvm-mca": "22.1.8", "cost-model": "c0", "spcompile": "0.1.0"}, environment, total, layers, times)


@pytest.fixture
def not_run(monkeypatch):
    """Nothing is timed."""
    monkeypatch.setattr("spcompile.check.timing.times_of", lambda *folders: Verdict.no("not timed in this test"))


@pytest.fixture(scope="session")
def action() -> SimpleNamespace:
    """What runs action.yml: tests/check/scratch.py."""
    return SimpleNamespace(**run_path(str(Path(__file__).parent / "scratch.py")))


@pytest.fixture(scope="session")
def installed(action, tmp_path_factory) -> dict[str, str]:
    """The environment of a machine onto which the action has installed spcompile: really built and installed; what it depends on is there already."""
    pytest.importorskip("setuptools", reason="builds a wheel")
    there, source = (tmp_path_factory.mktemp(name) for name in ("installed", "action"))
    for name in action.SHIPPED:
        copy = shutil.copytree if (action.ROOT / name).is_dir() else shutil.copy
        copy(action.ROOT / name, source / name)
    offline = {"PIP_TARGET": str(there), "PIP_NO_DEPS": "1", "PIP_NO_INDEX": "1", "PIP_NO_BUILD_ISOLATION": "0", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    env = action.environment(there)
    done = action.run_step("Install spcompile", source, env | offline | {"GITHUB_ACTION_PATH": str(source)})
    assert done.returncode == 0, done.stdout + done.stderr
    return env


@pytest.fixture
def repository(model, tmp_path):
    """A scratch repository with a network and its spcompile.toml."""
    folder = tmp_path / "repository"
    folder.mkdir()
    shutil.copy(model, folder / "net.onnx")
    entry = 'path = "net.onnx"\ntarget = "cortex-a72"\nbudget = "1.6x"\npatterns = ["unstructured"]\nbaseline = "net.json"\n'
    (folder / "spcompile.toml").write_text(f"[models.net]\n{entry}")
    return folder
