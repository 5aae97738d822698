"""Work in processes: in order, and gone when whoever asked for it is."""

import math
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from spcompile.check.parallel import each
from spcompile.errors import ToolError


@pytest.mark.parametrize("jobs", [1, 2])
def test_answers_come_in_order(jobs):
    told = []
    assert each(math.sqrt, [16.0, 9.0, 4.0], jobs, lambda: told.append(1)) == [4.0, 3.0, 2.0]
    assert len(told) == 3


@pytest.mark.parametrize("jobs", [1, 2])
def test_nothing_to_do(jobs):
    assert each(math.sqrt, [], jobs, lambda: None) == []


@pytest.mark.parametrize("jobs", [1, 2])
def test_an_error_of_ours_is_not_hidden(jobs):
    with pytest.raises(ValueError):
        each(math.sqrt, [4.0, -1.0], jobs, lambda: None)


def test_a_process_that_the_system_ends_is_told():
    with pytest.raises(ToolError, match="try --jobs 1"):
        each(os._exit, [9, 9], 2, lambda: None)
    assert multiprocessing.active_children() == []


@pytest.fixture
def interruptible():
    """A shell's background jobs inherit that interrupts are ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
def test_an_interrupt_ends_what_runs():
    threading.Timer(3.0, os.kill, (os.getpid(), signal.SIGINT)).start()
    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        each(time.sleep, [300, 300], 2, lambda: None)
    assert time.monotonic() - began < 60 and multiprocessing.active_children() == []


WORKERS = """
import os, tempfile, time
from spcompile.check.parallel import each
from spcompile.interrupt import Interrupt

def work(number):
    with tempfile.TemporaryDirectory(prefix=f"{os.getpid()}-"):
        time.sleep(300)

if __name__ == "__main__":
    with Interrupt() as interrupt:
        each(work, [1, 2, 3, 4], 2, lambda: None)
    raise SystemExit(128 + interrupt.number)
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_told_to_end_it_leaves_neither_processes_nor_folders(tmp_path, number):
    script, kept = tmp_path / "script.py", tmp_path / "kept"
    script.write_text(WORKERS)
    kept.mkdir()
    process = subprocess.Popen([sys.executable, script], env={**os.environ, "TMPDIR": str(kept)}, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while len(workers := [int(path.name.partition("-")[0]) for path in kept.glob("*-*")]) < 2 and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.1)
    process.send_signal(number)
    assert process.communicate(timeout=60) == (None, "") and process.returncode == 128 + number
    assert len(workers) == 2 and list(kept.glob("*-*")) == []
    for worker in workers:
        with pytest.raises(ProcessLookupError):
            os.kill(worker, 0)
