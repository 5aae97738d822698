import json
import sys
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

from spcompile.errors import ArtifactError
from spcompile.lowering.program import Tensor

IMAGE = Tensor("input.1", (1, 3, 4, 4), "float32")
TOKENS = Tensor("tokens", (1, 5), "int64")


@pytest.fixture
def artifact(monkeypatch):
    """Stands in for spcompile.runtime.artifact; the model adds 1 to its first input. `seen` holds what it was fed."""
    model = SimpleNamespace(inputs=(IMAGE,), seen=[])

    def run(**feeds):
        model.seen.append(feeds)
        return {"y": feeds[model.inputs[0].name] + 1}

    def load(folder):
        if folder.name != "net-x86.spc":
            raise ArtifactError(f"{folder} is not an artifact: no manifest.json")
        return model

    model.run, model.bind = run, lambda feeds: lambda: run(**feeds)
    module = ModuleType("spcompile.runtime.artifact")
    module.load = load
    monkeypatch.setitem(sys.modules, module.__name__, module)
    return model


def test_random_inputs_have_the_models_shapes_and_types(cli, artifact):
    artifact.inputs = (IMAGE, TOKENS)
    outcome = cli("run", "net-x86.spc")
    assert (outcome.code, outcome.err) == (0, "")
    fed = artifact.seen[0]
    assert {name: (array.shape, str(array.dtype)) for name, array in fed.items()} == {"input.1": ((1, 3, 4, 4), "float32"), "tokens": ((1, 5), "int64")}
    assert set(fed["tokens"].ravel()) <= {0, 1}
    assert "[1, 3, 4, 4]" in outcome.out
    assert "1 call on this host" in outcome.out


def test_the_seed_decides(cli, artifact):
    for seed in (0, 0, 1):
        cli("run", "net-x86.spc", "--seed", seed)
    first, second, other = (fed["input.1"] for fed in artifact.seen[::2])
    assert (first == second).all()
    assert (first != other).any()


def test_inputs_come_by_name_and_outputs_go_by_name(cli, artifact, tmp_path):
    artifact.inputs = (IMAGE, TOKENS)
    image = np.arange(48, dtype=np.float32).reshape(1, 3, 4, 4)
    np.savez(tmp_path / "in.npz", **{"input.1": image, "tokens": np.ones((1, 5), np.int64), "labels": np.zeros(1)})
    assert cli("run", "net-x86.spc", "--input", tmp_path / "in.npz", "-o", tmp_path / "out.npz").code == 0
    assert set(artifact.seen[0]) == {"input.1", "tokens"}
    with np.load(tmp_path / "out.npz") as written:
        np.testing.assert_array_equal(written["y"], image + 1)


def test_a_single_array_serves_a_single_input(cli, artifact, tmp_path):
    np.savez(tmp_path / "in.npz", anything=np.zeros((1, 3, 4, 4), np.float32))
    assert cli("run", "net-x86.spc", "--input", tmp_path / "in.npz").code == 0
    assert set(artifact.seen[0]) == {"input.1"}


def test_repeats_are_timed_after_a_warm_up(cli, artifact):
    told = json.loads(cli("run", "net-x86.spc", "--repeat", 5, "--json").out)
    assert len(artifact.seen) == 6
    assert len(told["times_s"]) == 5
    assert all(time_s > 0 for time_s in told["times_s"])
    assert told["outputs"]["y"]["shape"] == [1, 3, 4, 4]
    assert told["outputs"]["y"]["mean"] == pytest.approx(1 + float(artifact.seen[0]["input.1"].mean()), rel=1e-5)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "no artifact given"),
        (("other.spc",), "other.spc is not an artifact"),
        (("net-x86.spc", "--input", "missing.npz"), "no such file"),
        (("net-x86.spc", "--repeat", "0"), "at least 1"),
        (("net-x86.spc", "--input", "two.npz"), "two.npz holds a, b; the model also takes input.1"),
    ],
)
def test_mistakes_are_one_line(cli, artifact, tmp_path, monkeypatch, words, said):
    monkeypatch.chdir(tmp_path)
    np.savez("two.npz", a=np.zeros(1), b=np.zeros(1))
    outcome = cli("run", *words)
    assert (outcome.code, outcome.out) == (2, "")
    assert said in outcome.err
    assert outcome.err.count("\n") == 1
    assert artifact.seen == []


def test_json_has_null_for_what_is_no_number(cli, artifact, tmp_path):
    np.savez(tmp_path / "in.npz", x=np.full((1, 3, 4, 4), np.inf, np.float32))
    facts = json.loads(cli("run", "net-x86.spc", "--input", tmp_path / "in.npz", "--json").out)["outputs"]["y"]
    assert (facts["least"], facts["most"], facts["mean"], facts["shape"]) == (None, None, None, [1, 3, 4, 4])
