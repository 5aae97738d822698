"""action.yml run as GitHub runs it: each step's script by bash, inputs put where they are named."""

import os
import re
import subprocess
import sys
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]
BASH = ("bash", "--noprofile", "--norc", "-e", "-o", "pipefail", "-c")  # docs.github.com: `shell: bash`
SHIPPED = ("pyproject.toml", "README.md", "LICENSE", "action.yml", "spcompile")
ACTION = yaml.safe_load((ROOT / "action.yml").read_text())


def environment(installed: Path) -> dict[str, str]:
    """Of a machine on which spcompile is installed there, and nothing of GitHub's is set."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("GITHUB_", "PYTEST_", "PIP_"))}
    return kept | {"PYTHONPATH": str(installed), "PATH": os.pathsep.join((str(installed / "bin"), str(Path(sys.executable).parent), os.environ["PATH"]))}


def run_step(name: str, repository: Path, env: dict[str, str], **inputs: str) -> subprocess.CompletedProcess:
    (step,) = [step for step in ACTION["runs"]["steps"] if step["name"] == name]
    given = {key: entry["default"] for key, entry in ACTION["inputs"].items()} | {key.replace("_", "-"): value for key, value in inputs.items()}

    def filled(text: str) -> str:
        return re.sub(r"\$\{\{ inputs\.([\w-]+) \}\}", lambda found: given[found[1]], text)

    variables = {key: filled(value) for key, value in step.get("env", {}).items()}
    folder = repository / filled(step.get("working-directory", "."))
    return subprocess.run([*BASH, step["run"]], cwd=folder, env=env | variables, capture_output=True, text=True, check=False)
