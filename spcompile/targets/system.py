"""What the system says about this machine."""

import os
from pathlib import Path


def cores() -> int:
    """That this process may use; all of the machine's where the system does not tell."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def cpuinfo(root: Path = Path("/")) -> list[tuple[str, str]]:
    """proc/cpuinfo under `root`, line by line: every core in its turn; [] where there is none."""
    return [(key.strip(), value.strip()) for key, _, value in (line.partition(":") for line in read(root / "proc/cpuinfo").splitlines())]


def read(path: Path) -> str:
    """Text of a system file; "" where this kernel has none."""
    return path.read_text() if path.is_file() else ""
