"""The keys of a model: what is allowed, and one line for everything else."""

from pathlib import Path

import pytest

from spcompile.check.model import CHECKED, SettingsError, model

COMPILED = {"path": "net.onnx", "target": "arm", "budget": "3ms"}
READY = {"artifact": "net.spc", "baseline": "b.json"}


@pytest.fixture
def folder(tmp_path):
    for name in ("net.onnx", "data.npz"):
        (tmp_path / name).write_bytes(b"")
    (tmp_path / "board.toml").write_text('base = "cortex-a72"\n')
    return tmp_path


def test_every_key_is_taken(folder):
    given = COMPILED | {
        "target": "board.toml",
        "threads": 2,
        "patterns": ["2:4", "block4x1"],
        "calib": "data.npz",
        "eval": "data.npz",
        "input_shapes": {"x": [1, 3, 8, 8]},
        "accuracy_floor": 0.9,
        "max_drop": "1%",
        "baseline": "kept/net.json",
    }
    found = model("net", given, folder, "here")
    assert set(given) | {"artifact"} == set(CHECKED)
    assert (found.path, found.calib, found.baseline) == (folder / "net.onnx", folder / "data.npz", folder / "kept/net.json")
    assert (found.target, found.threads, found.patterns) == (str(folder / "board.toml"), 2, ("2:4", "block4x1"))
    assert (found.input_shapes, found.accuracy_floor, found.max_drop) == ({"x": (1, 3, 8, 8)}, 0.9, "1%")


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        (COMPILED | {"budgt": "3ms"}, "here: unknown key 'budgt'; did you mean budget?"),
        (COMPILED | {"max-drop": "1%"}, "unknown key 'max-drop'; did you mean max_drop?"),
        (COMPILED | {"zzz": 1}, "unknown key 'zzz'; allowed are path, artifact, target"),
        (COMPILED | {"path": "absent.onnx"}, "here.path is 'absent.onnx'; there is no "),
        (COMPILED | {"eval": "absent.npz"}, "here.eval is 'absent.npz'; there is no "),
        (COMPILED | {"path": 3}, "here.path is 3; a path is wanted"),
        (COMPILED | {"budget": 3}, "here.budget is 3; a text is wanted"),
        (COMPILED | {"budget": "3"}, "here.budget: budget '3' has no unit"),
        (COMPILED | {"target": "cortex-a7"}, "here.target: unknown target 'cortex-a7': did you mean"),
        (COMPILED | {"target": "absent.toml"}, "cannot be read"),
        (COMPILED | {"threads": 0}, "a whole number of at least 1"),
        (COMPILED | {"threads": True}, "a whole number of at least 1"),
        (COMPILED | {"patterns": "2:4"}, "a list is wanted"),
        (COMPILED | {"patterns": ["2:5x"]}, "here.patterns: "),
        (COMPILED | {"input_shapes": [1, 3]}, "a table of sizes by input"),
        (COMPILED | {"input_shapes": {"x": [1, "3"]}}, "a table of sizes by input"),
        (COMPILED | {"accuracy_floor": "90%"}, "a number is wanted"),
        (COMPILED | {"accuracy_floor": float("nan")}, "accuracy_floor is nan; a number is wanted"),
        (COMPILED | {"accuracy_floor": 0.9}, "accuracy_floor needs labelled data"),
        ({"path": "net.onnx", "target": "arm", "max_drop": "1%"}, "max_drop needs labelled data"),
        ({"path": "net.onnx", "budget": "3ms"}, "target is missing"),
        ({"path": "net.onnx", "target": "arm"}, "nothing to aim at"),
        (COMPILED | {"artifact": "net.spc"}, "give either path"),
        ({"budget": "3ms"}, "give either path"),
        ({"artifact": "net.spc"}, "nothing to hold the artifact against"),
        (READY | {"target": "arm"}, "target says how a model is compiled"),
        (READY | {"threads": 1}, "threads says how a model is compiled"),
    ],
)
def test_a_mistake_is_one_line_that_names_its_place(folder, entry, said):
    with pytest.raises(SettingsError) as raised:
        model("net", entry, folder, "here")
    assert said in str(raised.value) and str(raised.value).startswith("here") and "\n" not in str(raised.value)


@pytest.mark.parametrize("name", ["", "a/b", "..", "a b"])
def test_names_that_cannot_be_folders(folder, name):
    with pytest.raises(SettingsError, match="letters, digits"):
        model(name, COMPILED, folder, "here")


def test_every_key_is_described():
    described = (Path(__file__).parents[2] / "docs/check.md").read_text()
    assert [key for key in CHECKED if f"`{key}`" not in described] == []
