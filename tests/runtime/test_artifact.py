"""The folder that appears whole or not at all, and is what it was when it was made."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from spcompile.errors import ArtifactError
from spcompile.runtime import artifact
from spcompile.runtime.artifact import check_output, load, read_manifest, staged, target_of, write_manifest, write_program
from spcompile.runtime.executor import Executor
from spcompile.targets import load_target


def write(folder, network, target=None, **facts) -> None:
    with staged(folder) as stage:
        shutil.copy(network.library, stage / artifact.LIBRARY)
        write_program(stage, network.program)
        (stage / "report.html").write_text("a page")
        write_manifest(stage, network.program, target or network.target, 1, facts)


@pytest.fixture
def folder(network, tmp_path):
    write(tmp_path / "model.spc", network, seed=7)
    return tmp_path / "model.spc"


def test_round_trip(network, folder, feed):
    loaded, direct = load(folder), Executor.of_program(network.program, network.library)
    assert (loaded.inputs, loaded.outputs) == (network.program.inputs, network.program.outputs)
    for name, array in direct.run(**feed).items():
        np.testing.assert_array_equal(loaded.run(**feed)[name], array)


def test_manifest_says_what_is_needed_to_run(network, folder):
    manifest = read_manifest(folder)
    assert manifest["seed"] == 7 and manifest["threads"] == 1 and manifest["target"]["name"] == "x86-avx2"
    assert manifest["files"].keys() == {path.name for path in folder.iterdir()} - {artifact.MANIFEST}
    assert manifest["workspace_bytes"] == 4 * network.program.workspace_elements
    assert [tensor["name"] for tensor in manifest["inputs"]] == ["x", "r"]
    assert (folder.stat().st_mode & 0o777) == 0o755


def test_the_same_network_gives_the_same_manifest(network, folder, tmp_path):
    write(tmp_path / "again", network, seed=7)
    assert (tmp_path / "again" / artifact.MANIFEST).read_text() == (folder / artifact.MANIFEST).read_text()


def test_the_manifest_holds_the_whole_target(network, folder):
    manifest = read_manifest(folder)
    assert target_of(manifest) == network.target
    del manifest["target"]["clock_hz"]
    with pytest.raises(ArtifactError, match="does not hold its target's numbers"):
        target_of(manifest)


def test_nothing_remains_but_the_folder(folder):
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]


@pytest.mark.parametrize("name", [artifact.LIBRARY, artifact.VALUES, artifact.INDICES, artifact.KERNELS, "report.html"])
@pytest.mark.parametrize("damage", ["missing", "shorter", "changed"])
def test_damaged_files_are_named(folder, name, damage):
    path = folder / name
    content = path.read_bytes()
    path.unlink()
    if damage != "missing":
        path.write_bytes(content[:-1] if damage == "shorter" else bytes([content[0] ^ 1]) + content[1:])
    with pytest.raises(ArtifactError, match=rf"{name}' is missing or was changed"):
        load(folder)


@pytest.mark.parametrize("text", ["", "{", "[]", "3", '"format"', "{}", '{"format": 1', "\x00\xff"])
def test_damaged_manifests_are_told(folder, text):
    (folder / artifact.MANIFEST).write_text(text)
    with pytest.raises(ArtifactError, match="is damaged"):
        load(folder)


@pytest.mark.parametrize(
    "change",
    [
        lambda manifest: manifest.update(workspace_bytes=4),
        lambda manifest: manifest.pop("files"),
        lambda manifest: manifest.update(files={}),
        lambda manifest: manifest.pop("target"),
        lambda manifest: manifest["inputs"].pop(),
        lambda manifest: manifest.pop(artifact.SEAL),
    ],
)
def test_changed_manifests_are_told(folder, change):
    manifest = json.loads((folder / artifact.MANIFEST).read_text())
    change(manifest)
    (folder / artifact.MANIFEST).write_text(json.dumps(manifest))
    with pytest.raises(ArtifactError, match="was changed since compiling"):
        load(folder)


def test_a_reformatted_manifest_is_still_itself(folder):
    manifest = json.loads((folder / artifact.MANIFEST).read_text())
    (folder / artifact.MANIFEST).write_text(json.dumps(manifest, sort_keys=True, indent=4))
    assert load(folder).inputs


def test_what_is_no_artifact_is_told(tmp_path, folder):
    (folder / artifact.MANIFEST).unlink()
    for path in (folder, tmp_path / "absent", tmp_path):
        with pytest.raises(ArtifactError, match=r"is no artifact: it has no manifest\.json"):
            load(path)


def test_another_version_is_told(folder):
    manifest = json.loads((folder / artifact.MANIFEST).read_text())
    (folder / artifact.MANIFEST).write_text(json.dumps(manifest | {"format": 99}))
    with pytest.raises(ArtifactError, match="artifact format 99, this version reads 1; compile again"):
        load(folder)


def test_code_for_another_machine_is_not_loaded(network, tmp_path):
    other = "cortex-a72" if network.target.x86 else "x86-avx2"
    write(tmp_path / "other", network, load_target(other))
    with pytest.raises(ArtifactError, match=rf"compiled for {other} and cannot run here: it is .* code.*model\.onnx in it runs anywhere"):
        load(tmp_path / "other")


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, OSError])
@pytest.mark.parametrize("old", [False, True])
def test_what_is_interrupted_leaves_nothing(network, tmp_path, error, old):
    """And what was there before stays."""
    folder = tmp_path / "model.spc"
    if old:
        write(folder, network)

    def interrupted():
        with staged(folder) as stage:
            (stage / artifact.LIBRARY).write_bytes(b"half")
            raise error

    with pytest.raises(error):
        interrupted()
    assert [path.name for path in tmp_path.iterdir()] == ["model.spc"] * old
    assert not old or read_manifest(folder)


@pytest.mark.parametrize("moved", ["old", "new"])
@pytest.mark.parametrize("error", [OSError, KeyboardInterrupt])
def test_the_old_artifact_stays_where_the_new_one_cannot_take_its_place(network, folder, monkeypatch, error, moved):
    replace, moves = Path.replace, ["old", "new"]

    def failing(path, target):
        if moves and moves.pop(0) == moved:
            raise error
        return replace(path, target)

    monkeypatch.setattr(Path, "replace", failing)
    with pytest.raises(error):
        write(folder, network, seed=8)
    assert read_manifest(folder)["seed"] == 7 and [path.name for path in folder.parent.iterdir()] == [folder.name]


def test_a_new_artifact_takes_the_place_of_the_old(network, folder):
    (folder / "note.txt").write_text("mine")
    write(folder, network, seed=8)
    assert read_manifest(folder)["seed"] == 8 and not (folder / "note.txt").exists()


class TestOutputFolder:
    def test_absent_and_empty_folders_will_do(self, tmp_path):
        (tmp_path / "empty").mkdir()
        for name in ("absent", "empty"):
            for force in (False, True):
                assert check_output(tmp_path / name, force) == tmp_path / name
        assert not (tmp_path / "absent").exists()

    def test_relative_folders_will_do(self, tmp_path, monkeypatch, network):
        monkeypatch.chdir(tmp_path)
        write(check_output("out.spc", False), network)
        assert read_manifest("out.spc")

    def test_artifacts_are_replaced_on_demand_only(self, folder):
        with pytest.raises(ArtifactError, match="is not empty; give another with -o, or --force"):
            check_output(folder, False)
        assert check_output(folder, True) == folder

    def test_other_folders_are_never_replaced(self, tmp_path):
        (tmp_path / "thesis.tex").write_text("")
        for force in (False, True):
            with pytest.raises(ArtifactError, match=r"not empty|no artifact; --force replaces artifacts only"):
                check_output(tmp_path, force)

    def test_files_and_missing_parents_are_told(self, tmp_path):
        (tmp_path / "file").write_text("")
        with pytest.raises(ArtifactError, match="is a file"):
            check_output(tmp_path / "file", True)
        with pytest.raises(ArtifactError, match="does not exist"):
            check_output(tmp_path / "a" / "b", False)
        with pytest.raises(ArtifactError, match=r"cannot be made: '.*/file' is a file"):
            check_output(tmp_path / "file" / "b", False)

    def test_a_parent_that_is_closed_is_told(self, tmp_path, monkeypatch):
        monkeypatch.setattr(artifact.os, "access", lambda path, mode: False)
        with pytest.raises(ArtifactError, match="nothing may be written"):
            check_output(tmp_path / "out", False)

    def test_the_folder_one_stands_in_is_told(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        with pytest.raises(ArtifactError, match="is the one you are in"):
            check_output(".", False)

    def test_a_mount_point_is_told(self, tmp_path, folder, monkeypatch):
        """Empty or not: it cannot be moved, nor a folder put in its place."""
        (tmp_path / "empty").mkdir()
        monkeypatch.setattr(Path, "is_mount", lambda path: path.parent == tmp_path.resolve())
        for mounted in (tmp_path / "empty", folder):
            with pytest.raises(ArtifactError, match="is a mount point, which cannot be replaced; give a folder inside it with -o"):
                check_output(mounted, True)


def test_a_link_to_an_artifact_stays_and_points_to_the_new_one(network, folder):
    link = folder.parent / "link"
    link.symlink_to(folder.name)
    check_output(link, force=True)
    write(link, network, seed=8)
    assert link.is_symlink() and read_manifest(folder)["seed"] == 8 and {path.name for path in folder.parent.iterdir()} == {"link", folder.name}
