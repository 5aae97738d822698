"""spcompile run ARTIFACT"""

from argparse import ArgumentParser, Namespace

from spcompile.cli.arguments import Command


def arguments(parser: ArgumentParser) -> None:
    """Options of run."""


def run(args: Namespace) -> int:
    """x"""
    return 0


COMMAND = Command("run", "ARTIFACT [options]", "run a compiled model", arguments, run)
