"""Where commands print: standard output as a rich console, as wide as it pleases when nobody reads along."""

import json
import os
import sys

PIPE_WIDTH = 320  # a layer fits on one line, so that grep and sort have whole ones


def console():
    """A rich console on standard output: plain and wide in a pipe unless COLUMNS says otherwise."""
    from rich.console import Console

    class Screen(Console):
        def on_broken_pipe(self):
            raise BrokenPipeError  # rich would exit with 1, which means infeasible here

    fixed = sys.stdout.isatty() or "COLUMNS" in os.environ
    return Screen(file=sys.stdout, width=None if fixed else PIPE_WIDTH, highlight=False)


def print_json(form: dict) -> None:
    """Strict JSON on standard output."""
    print(json.dumps(form, indent=1, allow_nan=False, ensure_ascii=False))
