"""States of interrupted recoveries on disk."""

import pickle
from pathlib import Path

import numpy as np
import pytest
import torch

from spcompile.patterns import parse_choice
from spcompile.pruning import Pruned, calibration_from
from spcompile.training.state import drop_state, load_state, save_state, state_file, state_folder
from tests.pruning.samples import images, network


def test_written_and_read_back(tmp_path):
    path = tmp_path / "new" / "folder" / "a.pt"
    save_state(path, {"weights": {"w": torch.arange(3.0)}, "steps": 4, "best": 0.5})
    found = load_state(path)
    assert torch.equal(found["weights"]["w"], torch.arange(3.0)) and (found["steps"], found["best"]) == (4, 0.5)
    assert list(path.parent.iterdir()) == [path]


def test_absent_and_torn_files_are_none(tmp_path):
    assert load_state(tmp_path / "absent.pt") is None
    (tmp_path / "empty.pt").write_bytes(b"")
    (tmp_path / "torn.pt").write_bytes(b"PK\x03\x04 and no more")
    assert load_state(tmp_path / "empty.pt") is load_state(tmp_path / "torn.pt") is None


def test_a_file_that_would_run_something_is_not_read(tmp_path):
    torch.save({"weights": Path("x")}, tmp_path / "bad.pt")
    (tmp_path / "worse.pt").write_bytes(pickle.dumps(Path("x"), protocol=2))
    assert load_state(tmp_path / "bad.pt") is load_state(tmp_path / "worse.pt") is None


@pytest.mark.parametrize("changed", ["model", "masks", "choices", "calibration", "settings"])
def test_everything_that_decides_names_the_file(tmp_path, changed):
    def path(mark: str) -> Path:
        model = network(seed=1 if mark == "model" else 0)
        choices = {"point": parse_choice("unstructured@0.6" if mark == "choices" else "unstructured@0.5")}
        data = calibration_from(images(4, seed=2 if mark == "calibration" else 1), model)
        masks = {"point": np.arange(8).reshape(2, 4) % 2 == (mark == "masks")}
        return state_file(tmp_path, model, Pruned(model, masks), choices, data, "1 min" if mark == "settings" else "2 min")

    assert path("") == path("") != path(changed)


def test_the_folder_is_the_users_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert state_folder() == tmp_path / "spcompile" / "recovery"


def test_a_folder_that_cannot_be_written_to_is_told(tmp_path):
    (tmp_path / "file").write_text("in the place of a folder")
    verdict = save_state(tmp_path / "file" / "a.pt", {"steps": 4})
    assert not verdict and str(tmp_path / "file") in verdict.reason and "\n" not in verdict.reason
    assert load_state(tmp_path / "file" / "a.pt") is None
    drop_state(tmp_path / "file" / "a.pt")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_is_told_and_leaves_nothing(tmp_path):
    (tmp_path / "a.unfinished").symlink_to("/dev/full")
    verdict = save_state(tmp_path / "a.pt", {"weights": torch.zeros(100_000)})
    assert "cannot be written to" in verdict.reason and not list(tmp_path.iterdir())
