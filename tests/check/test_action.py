"""action.yml, tried as its user does: a scratch repository whose job runs the action's own steps."""

import re
from pathlib import Path

import pytest
import yaml

from spcompile.check import settings

EXAMPLES = Path(__file__).parents[2] / "examples/ci"


def test_scripts_name_no_expression(action):
    """An input that is put into a script is run by it: they all go through variables, and every input is used."""
    steps = action.ACTION["runs"]["steps"]
    assert action.ACTION["runs"]["using"] == "composite" and all(step["shell"] == "bash" for step in steps)
    assert not any("${{" in step["run"] for step in steps)
    used = set(re.findall(r"inputs\.([\w-]+)", str(steps)))
    assert used == set(action.ACTION["inputs"])


def test_a_repository_with_the_action(action, installed, repository):
    """No baseline, then one, then a slower model: mistake, fine, regression; annotations and summary as GitHub reads them."""
    env = installed | {"GITHUB_STEP_SUMMARY": str(repository / "summary.md")}
    first = action.run_step("Check", repository, env)
    assert first.returncode == 2 and "there is no baseline 'net.json'; write one with --update and commit it" in first.stderr
    update = action.subprocess.run(["spcompile", "check", "--update", "--quiet"], cwd=repository, env=env, capture_output=True, text=True)
    assert (update.returncode, update.stderr) == (0, "")
    fine = action.run_step("Check", repository, env, only="net")
    assert fine.returncode == 0 and "::notice title=spcompile check::1 model: 1 fine" in fine.stdout
    text = (repository / "spcompile.toml").read_text()
    (repository / "spcompile.toml").write_text(text.replace("1.6x", "1.3x"))
    worse = action.run_step("Check", repository.parent, env, working_directory="repository")
    assert worse.returncode == 1 and worse.stdout.startswith("::error title=spcompile check net::regression: ")
    summary = (repository / "summary.md").read_text()
    assert re.findall("### spcompile check: 1 model: 1 ([a-z]+)", summary) == ["mistake", "fine", "regression"] and "| net | cortex-a72 |" in summary


def test_one_artifact(action, installed, artifact, repository):
    given = {"artifact": str(artifact), "baseline": "of $(touch harm) its own.json", "tolerance": "50%"}
    done = action.run_step("Check", repository, installed, **given)
    assert done.returncode == 2 and "there is no baseline 'of $(touch harm) its own.json'" in done.stderr
    assert not (repository / "harm").exists()


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.yml")), ids=lambda path: path.name)
def test_workflows_are_whole(action, path):
    """Every step runs or uses something; inputs given to the action are ones it has."""
    steps = yaml.safe_load(path.read_text())["jobs"]["check"]["steps"]
    assert all(("run" in step) != ("uses" in step) for step in steps)
    own = [step for step in steps if step.get("uses", "").startswith("spcompile/")]
    assert all(set(step.get("with", {})) <= set(action.ACTION["inputs"]) for step in own)


def test_the_example_of_settings_is_read(tmp_path):
    for name in ("model.onnx", "calibration.npz", "test.npz"):
        (tmp_path / name).write_bytes(b"")
    (tmp_path / "spcompile.toml").write_text((EXAMPLES / "spcompile.toml").read_text())
    assert [model.name for model in settings.read(tmp_path / "spcompile.toml")] == ["classifier", "classifier-x86"]
