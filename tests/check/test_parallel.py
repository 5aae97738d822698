"""Work in processes: in order, and gone when whoever asked for it is."""

import math
import multiprocessing
import os
import signal
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
