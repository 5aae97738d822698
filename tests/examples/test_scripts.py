"""The examples and the demo, run as a reader would run them."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ACCURACY = re.compile(r"top-1 (\S+)% dense, (\S+)% pruned")


def run(*command: str | Path) -> str:
    """-> what it prints."""
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    return done.stdout


def check_accuracy(printed: str):
    before, after = map(float, ACCURACY.search(printed).groups())
    assert before == 92.1
    assert after > before - 3


def test_torch_module_is_fine_tuned_compiled_and_run(tmp_path):
    printed = run(sys.executable, "examples/torch_api.py", tmp_path / "out")
    check_accuracy(printed)
    assert re.search(r"fine-tuned [1-9]\d* pruned layers of 12", printed)
    assert re.search(r"the first test image is of kind \d", printed)


def test_own_pruner_on_an_own_device(tmp_path):
    printed = run(sys.executable, "examples/own_pruner.py", tmp_path / "out")
    check_accuracy(printed)
    assert re.search(r"features\.5\.body\.1\.0 +\w+", printed)
    assert "own_device" in (tmp_path / "out/report.json").read_text()


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
def test_the_demo_is_what_make_demo_runs(tmp_path):
    """Its last command, with another output folder and this Python instead of the one in .venv."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    planned = subprocess.run(["make", "--dry-run", "demo"], cwd=ROOT, env=environment, capture_output=True, text=True, check=True).stdout
    program, *words = planned.splitlines()[-1].split()
    assert program == ".venv/bin/spcompile"
    words[words.index("-o") + 1] = str(tmp_path / "demo.spc")
    printed = run(sys.executable, "-m", "spcompile", *words)
    assert "budget 2x" in printed
    assert str(tmp_path / "demo.spc/report.html") in printed
    assert (tmp_path / "demo.spc/manifest.json").exists()
