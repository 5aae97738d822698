"""The workflow in examples/ci, and the commands in its comments, are ones that this command line takes."""

import shlex
from pathlib import Path

import pytest

from spcompile.cli import COMMANDS, COMPILE
from spcompile.cli.arguments import parse

WORKFLOW = Path(__file__).parents[2] / "examples/ci/latency.yml"
LINES = [line.partition("spcompile ")[2] for line in WORKFLOW.read_text().splitlines() if "run: spcompile " in line or line.startswith("#   spcompile ")]


@pytest.mark.parametrize("line", LINES)
def test_every_command_is_known(line):
    words = shlex.split(line)
    command = next((command for command in COMMANDS if command.name == words[0]), COMPILE)
    args = parse(command, words[1:] if command is not COMPILE else words, COMMANDS)
    assert getattr(args, "baseline", "baseline.json") == "baseline.json" and args.output in (None, "model.spc", "check.xml")


def test_there_are_a_compilation_and_checks():
    assert [line.split()[0] for line in LINES] == ["model.onnx", "check", "model.onnx", "check", "check"]
