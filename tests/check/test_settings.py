"""The file that lists models, where it lies and how it is written."""

import pytest

from spcompile.check.model import SettingsError
from spcompile.check.settings import find, read

ENTRY = 'artifact = "net.spc"\nbaseline = "b.json"\n'


def test_both_files_are_read_alike(tmp_path):
    assert find(tmp_path) is None
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "other"\n')
    assert find(tmp_path) is None
    (tmp_path / "pyproject.toml").write_text(f"[tool.spcompile.models.net]\n{ENTRY}")
    assert find(tmp_path) == tmp_path / "pyproject.toml"
    listed = read(find(tmp_path))
    (tmp_path / "spcompile.toml").write_text(f"[models.net]\n{ENTRY}")
    assert find(tmp_path) == tmp_path / "spcompile.toml"
    assert read(find(tmp_path)) == listed
    assert [(model.name, model.artifact) for model in listed] == [("net", tmp_path / "net.spc")]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no models; list each as [models.NAME]"),
        ("models = 3", "no models"),
        ("[models]\nnet = 3", "no models"),
        (f"[model.net]\n{ENTRY}", "unknown key 'model'; did you mean models?"),
        ("[models.net", "is not TOML"),
        (f"[models.net]\n{ENTRY}[models.net]\n{ENTRY}", "is not TOML"),
        ('[models.net]\nartifact = "a"\nbasline = "b"', "models.net: unknown key 'basline'; did you mean baseline?"),
        (f"[models.net]\n{ENTRY}[models.other]\n{ENTRY}", "models.other.baseline is that of net too"),
        ("\ufeff\x00", "is not TOML"),
    ],
)
def test_mistakes_name_the_file(tmp_path, text, said):
    path = tmp_path / "spcompile.toml"
    path.write_text(text)
    with pytest.raises(SettingsError) as raised:
        read(path)
    assert said in str(raised.value) and str(path) in str(raised.value)


def test_in_pyproject_the_table_is_named(tmp_path):
    (tmp_path / "pyproject.toml").write_text("[tool.spcompile]\n")
    with pytest.raises(SettingsError, match=r"tool\.spcompile: no models; list each as \[tool\.spcompile\.models\.NAME\]"):
        read(find(tmp_path))


def test_a_missing_file(tmp_path):
    with pytest.raises(SettingsError, match="No such file"):
        read(tmp_path / "absent.toml")


@pytest.mark.parametrize("text", ["[tool]\nspcompile = 3\n", '[tool]\nspcompile = ["models"]\n'])
def test_what_is_no_table_is_told(tmp_path, text):
    (tmp_path / "pyproject.toml").write_text(text)
    with pytest.raises(SettingsError, match=r"tool\.spcompile: no models"):
        read(find(tmp_path))


def test_a_file_of_others_need_not_make_sense(tmp_path):
    (tmp_path / "pyproject.toml").write_text("tool = 3\n")
    assert find(tmp_path) is None
