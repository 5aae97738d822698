"""A GPU as a clock, on machines that have none: the card itself is the simulator of the emitted code."""

import numpy as np
import pytest

from spcompile.compiler import card
from spcompile.compiler.card import Card
from spcompile.passes import prepare
from spcompile.runtime import nvcc
from spcompile.targets import load_target
from spcompile.verdict import Verdict
from tests.lowering.gpu.run import run


@pytest.fixture
def model(build):
    return prepare(build("g (float[2,16] x) => (float[2,8] y) { y = MatMul(x,w) }", w=np.ones((16, 8), np.float32)))


class Simulated:
    """In the place of GpuExecutor; what it was asked, in order."""

    asked: list[str] = []  # noqa: RUF012 - emptied by every test

    def __init__(self, program, library):
        assert library.is_file()
        self.program = program

    def bind(self, feed):
        def launch() -> None:
            Simulated.asked.append("launch")
            assert np.isfinite(run(self.program, feed)["y"]).all()

        return launch

    def wait(self) -> None:
        Simulated.asked.append("wait")


def test_a_plan_is_timed_beside_dense(build, model, monkeypatch, tmp_path):
    Simulated.asked.clear()
    monkeypatch.setattr(card, "runs_here", lambda gpu: Verdict.yes())
    monkeypatch.setattr(card, "available", Verdict.yes)
    monkeypatch.setattr(card, "GpuExecutor", Simulated)
    monkeypatch.setattr(card, "gpu_name", lambda: "a simulated card")
    clock = Card(load_target("a100"), "float16", model)
    another = prepare(build("g (float[2,16] x) => (float[2,8] y) { p = MatMul(x,w)  y = Relu(p) }", w=np.ones((16, 8), np.float32)))
    found = clock.compare(clock.built(another, tmp_path))
    assert found.host == "a simulated card" and found.repeats >= 15 and found.plan.median_s > 0 and 0.2 < found.speedup < 5
    assert Simulated.asked[::2] == ["launch"] * (len(Simulated.asked) // 2) and set(Simulated.asked[1::2]) == {"wait"}, "every call is waited for"


@pytest.mark.parametrize(
    ("target", "here", "reason"),
    [
        ("a100", Verdict.no("no card"), "predicted, not measured: no card"),
        ("t4", Verdict.yes(), "planned for, not compiled for"),
        ("a100", Verdict.yes(), "nvcc"),
    ],
)
def test_why_nothing_is_timed(model, monkeypatch, target, here, reason):
    monkeypatch.setattr(card, "runs_here", lambda gpu: here)
    monkeypatch.setattr(nvcc, "nvcc", lambda: None)
    verdict = Card(load_target(target), "float16", model).verdict
    assert not verdict and reason in verdict.reason
