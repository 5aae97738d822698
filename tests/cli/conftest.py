"""The command line in this process, with a compiler that only remembers what it was asked."""

import sys
from dataclasses import dataclass
from pathlib import Path
from runpy import run_path
from types import ModuleType, SimpleNamespace

import pytest

from spcompile.cli import main


@dataclass
class Outcome:
    code: int
    out: str
    err: str


@pytest.fixture
def cli(capsys):
    """cli(word, ...) -> exit code, standard output, standard error."""

    def call(*words):
        try:
            code = main([str(word) for word in words])
        except SystemExit as ended:  # argparse's own --help and --version
            code = ended.code
        said = capsys.readouterr()
        return Outcome(code, said.out, said.err)

    return call


@pytest.fixture(scope="session")
def samples():
    """Invented reports: tests/report/samples.py."""
    return SimpleNamespace(**run_path(str(Path(__file__).parents[1] / "report" / "samples.py")))


@pytest.fixture
def compiler(monkeypatch, samples):
    """Stands in for spcompile.compiler: `calls` holds the arguments, `report`, `inspection` and `error` are what it answers with."""
    module = ModuleType("spcompile.compiler")
    module.calls, module.error = [], None
    module.report, module.inspection = samples.report(1, "1.5ms"), samples.inspection()

    def answer(model, **given):
        module.calls.append((model, given))
        if module.error is not None:
            raise module.error
        return SimpleNamespace(report=module.report, artifact=Path(given.get("output") or "net-arm.spc"))

    def inspect(model, **given):
        answer(model, **given)
        return module.inspection

    module.compile, module.inspect = answer, inspect
    monkeypatch.setitem(sys.modules, "spcompile.compiler", module)
    return module


@pytest.fixture
def model(tmp_path, monkeypatch):
    """A file called net.onnx in the working directory; its content is never read here."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net.onnx").write_bytes(b"")
    return "net.onnx"
