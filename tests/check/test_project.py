"""Several models at once: real ones, compiled into a cache, held against limits and baselines."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import spcompile
from spcompile.check import cache, timing
from spcompile.check.compare import KEPT, LIMIT, MISSED, SKIPPED
from spcompile.check.figures import BUDGET, Times
from spcompile.check.model import SettingsError
from spcompile.check.model import model as settings
from spcompile.check.project import check_all, update_all

UNSTRUCTURED = {"target": "x86-avx2", "budget": "1.6x", "patterns": ["unstructured"]}


@pytest.fixture
def project(model, tmp_path):
    """project(name={key: value}, ...) -> models of a folder that holds net.onnx and labelled data."""
    rng = np.random.default_rng(0)
    (tmp_path / "net.onnx").write_bytes(model.read_bytes())
    np.savez(tmp_path / "test.npz", x=rng.standard_normal((8, 16, 16, 16)).astype(np.float32), labels=np.arange(8))

    def project(**entries):
        return tuple(settings(name, {"path": "net.onnx"} | UNSTRUCTURED | entry, tmp_path, name) for name, entry in entries.items())

    return project


def limits(outcome) -> dict[str, str]:
    return {finding.figure.name: finding.outcome for finding in outcome.result.findings if finding.place == LIMIT}


def test_a_first_day_with_budgets_as_code(project, tmp_path, not_run):
    """Write the baselines, check, and find out what a change did; the cache keeps what is still right."""
    models = project(one={"baseline": "kept/one.json"}, two={"target": "cortex-a72", "baseline": "kept/two.json"})
    written = [path for path, _ in update_all(models, tmp_path / "cache", jobs=2)]
    assert written == [tmp_path / "kept/one.json", tmp_path / "kept/two.json"]
    made = (tmp_path / "cache/one.spc/manifest.json").stat().st_mtime_ns
    outcomes = check_all(models, tmp_path / "cache")
    assert [outcome.result.outcome for outcome in outcomes] == ["fine"] * 2
    assert [outcome.target for outcome in outcomes] == ["x86-avx2", "cortex-a72"]
    assert (tmp_path / "cache/one.spc/manifest.json").stat().st_mtime_ns == made
    assert (tmp_path / "cache/.gitignore").read_text() == "*\n"
    denser = project(one={"baseline": "kept/one.json", "budget": "1.4x"})
    (outcome,) = check_all(denser, tmp_path / "cache")
    assert outcome.result.outcome == "regression" and limits(outcome)["budget"] == KEPT


def test_limits(project, tmp_path):
    models = project(
        kept={"eval": "test.npz", "accuracy_floor": 0.0, "max_drop": "99%"},
        accuracy={"eval": "test.npz", "accuracy_floor": 1.0},
        impossible={"budget": "1us"},
    )
    kept, accuracy, impossible = check_all(models, tmp_path / "cache", jobs=1)
    assert kept.result.outcome == "fine" and {"budget", "accuracy_floor", "max_drop"} <= limits(kept).keys() and MISSED not in limits(kept).values()
    assert accuracy.result.outcome == "limit missed" and limits(accuracy)["accuracy_floor"] == MISSED
    assert impossible.result.outcome == "limit missed" and limits(impossible)["budget"] == MISSED
    assert impossible.result.headline.startswith("limit missed: 1 limit missed, ")


def test_a_mistake_with_one_leaves_the_others(project, tmp_path):
    (tmp_path / "broken.onnx").write_bytes(b"no model")
    wrong, fine, floor = check_all(
        project(wrong={"path": "broken.onnx"}, fine={}, floor={"eval": "test.npz", "accuracy_floor": 90}), tmp_path / "cache", jobs=1
    )
    assert wrong.result is None and "is not an ONNX file" in wrong.mistake
    assert fine.result.outcome == "fine"
    assert "accuracy_floor is 90, and top-1 is a share of 1; write 0.9" in floor.mistake


def test_a_baseline_that_is_missing_leaves_the_others(project, tmp_path, not_run):
    new, fine = check_all(project(new={"baseline": "absent.json"}, fine={}), tmp_path / "cache", jobs=1)
    assert new.result is None and "there is no baseline" in new.mistake and not (tmp_path / "cache/new.spc").exists()
    assert fine.result.outcome == "fine"


def test_an_artifact_that_is_there(artifact, tmp_path, not_run):
    entry = {"artifact": str(artifact), "budget": "1.6x", "baseline": "b.json"}
    models = (settings("net", entry, tmp_path, "net"),)
    assert [path for path, _ in update_all(models, tmp_path / "cache")] == [tmp_path / "b.json"]
    (outcome,) = check_all(models, tmp_path / "cache")
    assert outcome.result.outcome == "fine" and limits(outcome)["budget"] == KEPT and not (tmp_path / "cache").exists()
    (outcome,) = check_all((replace(models[0], budget="2x", baseline=None),), tmp_path / "cache")
    assert limits(outcome)["budget"] == MISSED and outcome.result.against == ""
    (outcome,) = check_all((replace(models[0], accuracy_floor=0.5, baseline=None),), tmp_path / "cache")
    assert "the report knows none: no labelled data" in outcome.mistake


@pytest.mark.parametrize(("taken_s", "said"), [(1e-3, KEPT), (1.02e-3, KEPT), (1.1e-3, MISSED), (None, SKIPPED)])
def test_a_budget_of_this_host_is_measured(project, tmp_path, monkeypatch, not_run, taken_s, said):
    """Within the noise it is kept."""
    if taken_s is not None:
        monkeypatch.setattr(timing, "times_of", lambda folder: (Times(taken_s, 0.001, taken_s, taken_s, taken_s, 3, 99),))
    (outcome,) = check_all(project(here={"target": "host", "budget": "1ms"}), tmp_path / "cache")
    (found,) = [finding for finding in outcome.result.findings if finding.figure == BUDGET]
    assert found.outcome == said and "measured" in found.reason


def test_no_baseline_to_write(project, tmp_path):
    with pytest.raises(SettingsError, match="no model names a baseline"):
        list(update_all(project(one={}), tmp_path))


class TestCache:
    @pytest.fixture
    def compilations(self, monkeypatch):
        """The folders that were compiled into; nothing is compiled."""
        done = []

        def compiled(model, folder: Path):
            done.append(folder)
            folder.mkdir()

        monkeypatch.setattr(cache, "_compile", compiled)
        monkeypatch.setattr(cache, "_whole", lambda folder: folder.is_dir())
        return done

    def test_it_is_kept_until_something_changes(self, project, tmp_path, compilations):
        def built(**entry) -> int:
            cache.built(project(net=entry)[0], tmp_path / "cache")
            return len(compilations)

        assert [built(), built()] == [1, 1]
        assert [built(budget="2x"), built(budget="2x", eval="test.npz"), built(budget="2x", eval="test.npz", accuracy_floor=0.5)] == [2, 3, 3]
        np.savez(tmp_path / "test.npz", x=np.zeros(3))
        assert built(budget="2x", eval="test.npz") == 4
        (tmp_path / "board.toml").write_text('base = "zen4"\n')
        assert built(target="board.toml") == 5
        (tmp_path / "board.toml").write_text('base = "zen4"\nclock_hz = 1e9\n')
        assert [built(target="board.toml"), built(target="board.toml")] == [6, 6]

    @pytest.mark.parametrize("name", ["code.py", "devices/board.toml", "templates/array.v.j2", "serve.c", "style.css"])
    def test_a_change_of_ours_counts_whatever_the_file(self, project, tmp_path, compilations, monkeypatch, name):
        package = tmp_path / "package"
        monkeypatch.setattr(spcompile, "__file__", str(package / "__init__.py"))
        for file in (name, "__pycache__/code.pyc"):
            (package / file).parent.mkdir(parents=True, exist_ok=True)
            (package / file).write_text("old")
        (model,) = project(net={})
        for file, count in ((name, 2), ("__pycache__/code.pyc", 2)):
            cache.built(model, tmp_path / "cache")
            (package / file).write_text("new")
            cache.built(model, tmp_path / "cache")
            assert len(compilations) == count

    def test_what_was_damaged_or_cut_short_is_made_again(self, project, tmp_path, compilations, monkeypatch):
        (model,) = project(net={})
        folder = cache.built(model, tmp_path / "cache")
        folder.rmdir()
        (tmp_path / "cache/.net.spc.abc").mkdir()
        cache.built(model, tmp_path / "cache")
        assert len(compilations) == 2 and not (tmp_path / "cache/.net.spc.abc").exists()
        monkeypatch.setattr(cache, "_compile", lambda model, folder: pytest.fail("as if interrupted"))
        folder.rmdir()
        with pytest.raises(pytest.fail.Exception):
            cache.built(model, tmp_path / "cache")
        assert not (tmp_path / "cache/net.key").exists()
