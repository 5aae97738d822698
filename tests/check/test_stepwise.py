"""Kernels called one by one do what the compiled network does."""

import shutil

import numpy as np
import pytest

from spcompile.check.stepwise import Stepwise
from spcompile.runtime.artifact import load, read_manifest
from spcompile.runtime.host import runs_here


@pytest.fixture
def runnable(artifact):
    target = read_manifest(artifact)["target"]
    if not (verdict := runs_here(target["triple"], target["lanes_fp32"])):
        pytest.skip(verdict.reason)
    return artifact


def test_called_in_order_they_give_the_network_s_outputs(runnable):
    check_outputs(Stepwise(runnable), runnable)


def check_outputs(stepwise, folder):
    stepwise._regions["output 0"].fill(np.nan)
    seconds = stepwise.round()
    assert len(seconds) == len(stepwise.steps) and (seconds > 0).all()
    x = stepwise._regions["input 0"].reshape(1, 16, 16, 16)
    np.testing.assert_array_equal(stepwise._regions["output 0"], load(folder).run(x)["y"].ravel())


def test_two_of_the_same_lie_apart(runnable):
    one, other = Stepwise(runnable), Stepwise(runnable)
    assert not np.shares_memory(one._regions["workspace"], other._regions["workspace"])


def test_an_artifact_in_the_place_of_another_is_called_itself(runnable, compiled, tmp_path):
    for folder in (runnable, compiled(budget="1x")):
        shutil.rmtree(tmp_path / "model.spc", ignore_errors=True)
        shutil.copytree(folder, tmp_path / "model.spc")
        check_outputs(Stepwise(tmp_path / "model.spc"), folder)
