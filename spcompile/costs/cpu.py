"""The analytic CPU model: counted instructions and bytes on the rates of a device file. See docs/cost-models.md.

    time = max over threads ( overlap(core, memory) + start-up of loops ) / clock + launch

Every parameter is a rate, a width, a size or a latency of the machine; none belongs to a network or a layer.
"""

from functools import lru_cache

from spcompile.costs.latency import Latency
from spcompile.kernels.work import Stream, Work
from spcompile.targets.target import Target

# How well pipes and levels of memory hide each other: cycles = (a^k + b^k)^(1/k). 1 adds up, infinity is the longer of the two.
CORE_OVERLAP = {True: 6.0, False: 2.0}  # by Target.out_of_order
MEMORY_OVERLAP = {True: 2.0, False: 1.0}
LAUNCH_CYCLES = 20_000  # waking the pool and waiting for its last thread; measured on Zen 4, TVM 0.27's thread pool
CALL_CYCLES = 100  # a call inside the compiled library: arguments, first instructions, first misses
LOW, HIGH = 0.70, 1.45  # truth / prediction, 9 times of 10


@lru_cache(maxsize=100_000)
def predict(work: Work, target: Target, threads: int) -> Latency:
    """Latency of one call with `threads` threads (at least 1), basis "analytic"."""
    assert threads >= 1, threads
    used = min(threads, target.cores, work.units)
    share = -(-work.units // used) / work.units  # of the thread with the most units
    core, memory = core_cycles(work, target) * share, memory_cycles(work, target, used) * share
    cycles = _overlap(MEMORY_OVERLAP[target.out_of_order], core, memory) + CALL_CYCLES + (LAUNCH_CYCLES if threads > 1 else 0)
    seconds = cycles / target.clock_hz
    return Latency(seconds, seconds * LOW, seconds * HIGH, "analytic")


def core_cycles(work: Work, target: Target) -> float:
    """Of one core doing all the work with everything in L1."""
    folded = min(work.broadcasts, work.fma) if target.folds_broadcast else 0.0
    instructions = work.fma + work.arithmetic + work.loads + work.broadcasts - folded + work.stores + work.scalar
    inner = _overlap(
        CORE_OVERLAP[target.out_of_order],
        (work.fma + work.arithmetic) / target.fma_per_cycle,
        (work.loads + work.broadcasts) / target.loads_per_cycle,
        work.stores / target.stores_per_cycle,
        instructions / target.issue_width,
    )
    return inner + work.loops * target.mispredict_cycles


def memory_cycles(work: Work, target: Target, threads: int = 1) -> float:
    """Of moving what L1 does not hold, when `threads` threads share what is shared; all of the work's bytes through one core."""
    return sum(_stream_cycles(stream, target, threads) for stream in work.streams)


def _stream_cycles(stream: Stream, target: Target, threads: int) -> float:
    """Each level serves the share of the footprint that it holds and the levels above do not."""
    cycles, above = 0.0, 0.0
    for level, cache in enumerate(target.caches):
        held = min(1.0, cache.bytes / stream.footprint_bytes) if stream.footprint_bytes else 1.0
        if level:
            cycles += stream.bytes_moved * max(0.0, held - above) / cache.bytes_per_cycle
        above = max(above, held)
    rate = min(target.memory_bytes_per_second, target.memory_bytes_per_second_shared / threads)
    return cycles + stream.bytes_moved * (1.0 - above) * target.clock_hz / rate


def _overlap(exponent: float, *cycles: float) -> float:
    longest = max(cycles)
    return longest * sum((part / longest) ** exponent for part in cycles) ** (1.0 / exponent) if longest else 0.0
