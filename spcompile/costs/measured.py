"""Basis "measured": how long calls take on this host, several of them interleaved so that a disturbance hits all alike."""

import statistics
import time
from collections.abc import Callable, Sequence

from spcompile.costs.latency import Latency

SAMPLE_S = 2e-3  # a sample is as many calls as last this long: far above the clock's own cost
SAMPLES = 9


def measure(calls: Sequence[Callable[[], object]], threads: int = 1, samples: int = SAMPLES, clock: Callable[[], float] | None = None) -> list[Latency]:
    """Latency of each call: the median of its samples, between the fastest and the slowest one.

    Calls of one thread are timed by the processor time they use, which other programs on a busy machine disturb little;
    calls of several threads by the wall clock. `clock` (seconds) replaces both.
    """
    clock = clock or (time.thread_time if threads == 1 else time.perf_counter)
    rounds = [_rounds(call, clock) for call in calls]
    times: list[list[float]] = [[] for _ in calls]
    for _ in range(samples):
        for call, count, taken in zip(calls, rounds, times, strict=True):
            taken.append(_sample(call, count, clock))
    return [Latency(statistics.median(taken), min(taken), max(taken), "measured") for taken in times]


def _rounds(call: Callable[[], object], clock: Callable[[], float]) -> int:
    """Calls per sample; what is called here warms up caches, pages and the clock of the processor."""
    count = 1
    while (taken := _sample(call, count, clock)) * count < SAMPLE_S:
        count = max(2 * count, min(10 * count, round(SAMPLE_S / taken))) if taken > 0 else 10 * count
    return count


def _sample(call: Callable[[], object], count: int, clock: Callable[[], float]) -> float:
    """Seconds of one call, on average over `count`."""
    begin = clock()
    for _ in range(count):
        call()
    return (clock() - begin) / count
