"""The functions that users call: what is wrong with what they give is one of our errors, whatever its type, and nothing is written."""

from pathlib import Path

import numpy as np
import pytest

import spcompile
from spcompile.compiler.job import Job
from spcompile.errors import DataError, ModelError, SpcompileError

BOARD = 'description = "mine"\nbase = "cortex-a72"\n'


@pytest.fixture
def network(build):
    return build("g (float[1,4] x) => (float[1,4] y) { y = Relu(x) }")


@pytest.mark.parametrize("threads", [0, -1, 1.5, "2", None, True, 10**18])
@pytest.mark.parametrize("function", [spcompile.compile, spcompile.inspect])
def test_threads_that_are_none(network, function, threads):
    with pytest.raises(SpcompileError, match=r"threads is .*; a whole number of at least 1, with at most 18 digits, is wanted"):
        function(network, target="cortex-a72", threads=threads)


@pytest.mark.parametrize("seed", [-1, 0.5, "1", None, 10**18])
def test_seeds_that_are_none(network, tmp_path, seed):
    with pytest.raises(SpcompileError, match=r"seed is .*; a whole number of at least 0, with at most 18 digits, is wanted"):
        spcompile.compile(network, target="cortex-a72", budget="1x", seed=seed, output=tmp_path / "out")
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize("target", ["host", "s4", "s4-bf16"])
@pytest.mark.parametrize("given", [True, False])
def test_an_input_without_axes(build, tmp_path, target, given):
    """With data and without."""
    rng = np.random.default_rng(0)
    model = build("g (float s, float[1,64] x) => (float[1,64] y) { a = Mul(x, s)  y = MatMul(a, w) }", w=rng.normal(size=(64, 64)).astype(np.float32))
    data = {"s": 0.5, "x": rng.normal(size=(32, 64)).astype(np.float32)} if given else None
    report = spcompile.compile(model, target=target, budget="1x", calibration=data, output=tmp_path / "out").report
    assert report.verification.worst_relative_difference <= report.verification.limit and report.verification.real_inputs == (3 if given else 0)
    assert not given or report.calibration.samples == 32


@pytest.mark.parametrize("kind", [str, Path])
def test_the_device_file_of_a_target(network, tmp_path, monkeypatch, kind):
    """As text or as a path; the artifact is named after it."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "boards").mkdir()
    (tmp_path / "boards/my.board.toml").write_text(BOARD)
    result = spcompile.compile(network, target=kind("boards/my.board.toml"), budget="1x")
    assert result.artifact.name == "g-my.board.spc" and result.report.target.asked == "boards/my.board.toml"
    assert spcompile.inspect(network, target=kind("boards/my.board.toml")).target == result.report.target


def test_wrong_labels_are_found_before_anything_is_planned(network, tmp_path, monkeypatch):
    monkeypatch.setattr("spcompile.compiler.job.measure_errors", lambda *_: pytest.fail("planned"))
    np.savez(tmp_path / "labelled.npz", x=np.ones((2, 4), np.float32), labels=np.array([0, 4]))
    with pytest.raises(DataError, match="labels run from 0 to 4, the model has classes 0 to 3"):
        spcompile.compile(network, target="cortex-a72", budget="1x", evaluate=tmp_path / "labelled.npz", output=tmp_path / "out")


@pytest.fixture
def began(monkeypatch) -> list:
    """Jobs that were begun."""
    jobs = []
    monkeypatch.setattr(Job, "run", lambda job, *given: jobs.append(job))
    return jobs


def compiled(module, tmp_path, finetune):
    import torch

    return spcompile.compile(module, target="arm", budget="2x", example_inputs=torch.zeros(1, 8), finetune=finetune, output=tmp_path / "a")


def test_finetune_is_a_function(tmp_path, began):
    from torch import nn

    with pytest.raises(ModelError, match=r"finetune is a function of \(module, masks, plan\) that trains the module, not 5"):
        compiled(nn.Linear(8, 8), tmp_path, 5)
    assert not began


def test_a_module_that_cannot_be_fine_tuned_is_refused_before_it_is_pruned(tmp_path, began):
    from torch import nn

    compiled(nn.Linear(8, 8), tmp_path, print)
    assert len(began) == 1
    with pytest.raises(ModelError, match="its weight is no parameter of the module"):
        compiled(nn.utils.parametrizations.weight_norm(nn.Linear(8, 8)), tmp_path, print)
    assert len(began) == 1
