"""spcompile check, without an artifact, in a folder as a user has it."""

import json
from xml.etree import ElementTree

import pytest

ENTRY = 'artifact = "net.spc"\nbaseline = "b.json"\n'


@pytest.fixture
def here(tmp_path, monkeypatch):
    """here(text) -> writes spcompile.toml into the working folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)

    def here(text: str) -> None:
        (tmp_path / "spcompile.toml").write_text(text)

    here("")
    return here


@pytest.fixture
def network(here, build, tmp_path):
    """A small real network, net.onnx, and what spcompile.toml says of it."""
    import numpy as np
    import onnx_ir as ir

    rng = np.random.default_rng(0)
    text = "g (float[1,16,16,16] x) => (float[1,32,16,16] y) { [first] a = Conv<pads=[1,1,1,1]>(x, w)  y = Relu(a) }"
    ir.save(build(text, w=rng.standard_normal((32, 16, 3, 3)).astype(np.float32)), tmp_path / "net.onnx")
    here('[models.net]\npath = "net.onnx"\ntarget = "cortex-a72"\nbudget = "2x"\npatterns = ["unstructured"]\nbaseline = "net.json"\n')
    return tmp_path


@pytest.mark.parametrize(
    ("text", "words", "said"),
    [
        ("", (), "spcompile.toml: no models"),
        (f"[models.net]\n{ENTRY}basline = 1", (), "spcompile.toml: models.net: unknown key 'basline'; did you mean baseline?"),
        (f"[models.net]\n{ENTRY}", ("--only", "nte"), "--only: there is no model 'nte'; did you mean net?"),
        (f"[models.net]\n{ENTRY}", ("--baseline", "b.json"), "no artifact given, to which --baseline belongs"),
        (f"[models.net]\n{ENTRY}", ("--update", "--tolerance", "5%"), "--update compares nothing"),
        (f"[models.net]\n{ENTRY}", ("--update",), "models.net: 'net.spc' is no artifact"),
        (f"[models.net]\n{ENTRY}", ("--jobs", "0"), "'0' is not a whole number of at least 1"),
        (f"[models.net]\n{ENTRY}", ("--config", "absent.toml"), "absent.toml cannot be read (No such file or directory)"),
        (f"[models.net]\n{ENTRY}", ("net.spc", "--only", "net", "--baseline", "b.json"), "--only is for all models of a file"),
    ],
)
def test_mistakes_are_one_line(cli, here, text, words, said):
    here(text)
    outcome = cli("check", "--quiet", *words)
    assert (outcome.code, outcome.out, outcome.err.count("\n")) == (2, "", 1) and said in outcome.err


def test_no_file_at_all(cli, here, tmp_path):
    (tmp_path / "spcompile.toml").unlink()
    outcome = cli("check")
    assert outcome.code == 2 and "no artifact given, and no spcompile.toml here" in outcome.err


def test_from_the_first_baseline_to_a_regression(cli, network, tmp_path):
    outcome = cli("check", "--update", "--quiet")
    assert (outcome.code, outcome.out) == (0, "net.json: figures of 3 layers of net on cortex-a72\n")
    outcome = cli("check", "--quiet")
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out.startswith("1 model: 1 fine\n") and "cortex-a72" in outcome.out
    settings = (tmp_path / "spcompile.toml").read_text().replace("2x", "1.2x")
    (tmp_path / "spcompile.toml").write_text(settings)
    outcome = cli("check", "--quiet", "--config", tmp_path / "spcompile.toml", "--format", "json")
    form = json.loads(outcome.out)
    assert (outcome.code, form["outcome"], form["models"][0]["model"]) == (1, "regression", "net")


def test_every_form_of_all_models(cli, network, tmp_path, monkeypatch):
    with (tmp_path / "spcompile.toml").open("a") as file:
        file.write('[models.wrong]\nartifact = "absent.spc"\nbudget = "1us"\n[models.tight]\npath = "net.onnx"\ntarget = "x86"\nbudget = "1us"\n')
    assert cli("check", "--update", "--only", "net").code == 0
    outcome = cli("check", "--quiet", "--jobs", "1")
    assert outcome.code == 2 and outcome.err.startswith("spcompile: error: wrong: 'absent.spc' is no artifact") and outcome.err.count("\n") == 1
    assert outcome.out.startswith("3 models: 1 fine, 1 limit missed, 1 mistake\n") and "tight: limit missed: 1 limit missed" in outcome.out
    form = json.loads(cli("check", "--quiet", "--format", "json").out)
    assert (form["schema"], form["outcome"]) == (1, "mistake")
    assert [(model["model"], model["outcome"]) for model in form["models"]] == [("net", "fine"), ("wrong", "mistake"), ("tight", "limit missed")]
    assert form["models"][2]["findings"][0]["place"] == "limit" and form["models"][2]["findings"][0]["outcome"] == "missed"
    assert cli("check", "--quiet", "--format", "junit", "-o", "check.xml").out.startswith("3 models: ")
    suites = ElementTree.parse(tmp_path / "check.xml").getroot().findall("testsuite")
    assert [(suite.get("name"), suite.get("failures"), suite.get("errors")) for suite in suites] == [
        ("spcompile check net", "0", "0"),
        ("spcompile check wrong", "0", "1"),
        ("spcompile check tight", "1", "0"),
    ]
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary.md"))
    lines = cli("check", "--quiet", "--format", "github").out.splitlines()
    assert [line.partition("::")[0] or line.split("::")[1] for line in lines] == [
        "error title=spcompile check wrong",
        "error title=spcompile check tight",
        "notice title=spcompile check",
    ]
    summary = (tmp_path / "summary.md").read_text()
    assert "| net | cortex-a72 |" in summary and summary.count("#### ") == 3
