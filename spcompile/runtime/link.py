"""Objects -> one shared library, for any target, with the linker of the `ziglang` wheel: no system toolchain, no sysroot, no cache."""

import subprocess
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from spcompile.errors import ToolError
from spcompile.verdict import Verdict

# What lld calls the processor at the head of a target triple.
EMULATIONS = {"x86_64": "elf_x86_64", "aarch64": "aarch64linux"}


def available() -> Verdict:
    """Is the linker installed?"""
    return Verdict.yes() if find_spec("ziglang") else Verdict.no("the package ziglang, whose linker is used, is not installed: pip install ziglang")


def shared_library(output: str | Path, objects: Sequence[str | Path], triple: str) -> None:
    """Link `objects` (ELF files for `triple`, such as "aarch64-linux-gnu") into the shared library `output`.

    It also serves TVM: executable.export_library(path, fcompile=shared_library, triple=triple).
    Functions of the C library (memcpy, expf) stay open and are bound when the library is loaded: TVM's runtime, which must be there anyway,
    brings libc and libm. One that is nowhere to be found fails the load, not a later call (-z now). Functions that the objects do hold are
    theirs, whatever else is loaded under the same name (-Bsymbolic).
    Raises ToolError: no linker, a processor it is not asked to know, objects for another processor.
    """
    if not (verdict := available()):
        raise ToolError(verdict.reason)
    processor = triple.split("-")[0]
    if processor not in EMULATIONS:
        raise ToolError(f"cannot link for the processor '{processor}' of '{triple}'; known: {', '.join(EMULATIONS)}")
    flags = ["-shared", "-m", EMULATIONS[processor], "-Bsymbolic", "-z", "now", "-z", "noexecstack", "--hash-style=gnu", "--gc-sections"]
    command = [sys.executable, "-m", "ziglang", "ld.lld", *flags, "-o", str(output), *map(str, objects)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ToolError(f"linking {output} for {triple} failed: {' '.join(done.stderr.split())}")
