"""The command line. `spcompile MODEL.onnx --target T --budget 3ms`; a first word that names no command is a model.

Exit codes: 0 done; 1 infeasible or a regression, the report is written; 2 the user's mistake, one line; 130 interrupted, 143 told to end.
"""

import atexit
import gc
import logging
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import NoReturn

from spcompile.cli import calibrate_command, check_command, compile_command, inspect_command, run_command, targets_command
from spcompile.cli.arguments import parse
from spcompile.errors import SpcompileError
from spcompile.interrupt import Interrupt

COMPILE = compile_command.COMMAND
COMMANDS = (targets_command.COMMAND, inspect_command.COMMAND, run_command.COMMAND, check_command.COMMAND, calibrate_command.COMMAND)
ALLOCATIONS = 50_000  # between two looks for garbage: a compilation keeps most of what it makes, and Python's 700 cost it a twentieth of its time
MISTAKE, SIGNAL, CLOSED_PIPE = 2, 128, 141  # 128 + the signal's number, as shells say it


def program() -> NoReturn:
    """`main` as a process, which ends at once: taking torch and TVM down in order takes a second."""
    gc.set_threshold(ALLOCATIONS)
    logging.getLogger("matplotlib").setLevel(logging.ERROR)  # where the home folder cannot be written, it gives advice at length
    sys.stdout.reconfigure(errors="backslashreplace")  # as standard error has it: a name in letters that the terminal lacks ends no command
    code = main()
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError):  # of which `main` has told
            stream.flush()
    atexit._run_exitfuncs()  # temporary folders of libraries
    os._exit(code)


def main(words: Sequence[str] | None = None) -> int:
    """-> the exit code. words: the command line without the program's name."""
    words = sys.argv[1:] if words is None else list(words)
    by_name = {command.name: command for command in COMMANDS}
    command = by_name.get(words[0], COMPILE) if words else COMPILE
    try:
        with Interrupt() as interrupt:
            code = command.run(parse(command, words[1:] if command is not COMPILE else words, COMMANDS))
            sys.stdout.flush()
            return code
        print("spcompile: interrupted", file=sys.stderr)
        return SIGNAL + interrupt.number
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # where what is left to be written goes
        return CLOSED_PIPE
    except (SpcompileError, OSError) as error:
        if "--debug" in words:
            raise
        print(f"spcompile: error: {_one_line(error)}", file=sys.stderr)
        return MISTAKE


def _one_line(error: SpcompileError | OSError) -> str:
    """The system's own errors (disk full, no permission) name the file they concern."""
    text = f"{error.filename}: {error.strerror}" if isinstance(error, OSError) and error.filename and error.strerror else str(error)
    return " ".join(text.split())
