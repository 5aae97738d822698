"""How many threads training is fastest with, here and now."""

import time
from collections.abc import Callable
from contextlib import contextmanager
from typing import TypeVar

import torch

Found = TypeVar("Found")


def at_best_speed(work: Callable[[], Found], most: int) -> Found:
    """`work()`, done with one thread and with `most`; torch stays with the number that was faster.

    On a machine that others keep busy, threads wait for one another after every operator: two were seen to take fifteen times as long as one.
    """
    times = {}
    for threads in dict.fromkeys((1, most)):
        torch.set_num_threads(threads)
        started = time.perf_counter()
        found = work()
        times[threads] = time.perf_counter() - started
    torch.set_num_threads(min(times, key=times.get))
    return found


@contextmanager
def threads_restored():
    """Whatever number of threads is set inside this context, the one from before comes back; it is what the context gives."""
    before = torch.get_num_threads()
    try:
        yield before
    finally:
        torch.set_num_threads(before)
