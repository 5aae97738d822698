"""What was freed goes back to the system."""

import ctypes
from pathlib import Path

import numpy as np
import pytest

from spcompile.pruning.memory import release

SIZE, COUNT = 100_000, 2000  # blocks that glibc keeps in its own heap
STATUS = Path("/proc/self/status")


def resident_bytes() -> int:
    line = next(line for line in STATUS.read_text().splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) * 1024


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "malloc_trim"), reason="needs glibc")
def test_freed_blocks_between_living_ones_go_back():
    blocks = [np.ones(SIZE, np.uint8) for _ in range(COUNT)]
    living = blocks[::10]
    del blocks
    before = resident_bytes()
    release()
    assert before - resident_bytes() > 0.5 * SIZE * COUNT
    assert all(block.all() for block in living)


def test_elsewhere_nothing_is_done(monkeypatch):
    asked = []

    class Other:
        def __getattr__(self, name):
            asked.append(name)
            raise AttributeError(name)

    monkeypatch.setattr(ctypes, "CDLL", lambda name: Other())
    release()
    assert asked == ["malloc_trim"]
