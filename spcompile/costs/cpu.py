"""The analytic CPU model: counted instructions and bytes on the rates of a device file. docs/cost-models.md explains and judges it.

    core   = accumulate ~ finish + starts of loops        accumulate = FMA pipes ~ load pipes ~ issue ~ waiting for sums
    cycles = core ~ memory                                finish     = arithmetic ~ stores

a ~ b = (a^k + b^k)^(1/k): 1 adds up, infinity is the longer of the two. The rates belong to the machine; the few constants
below were fitted once, over the steps of six networks as they run in their places on Zen 5, and hold for all layers, networks and devices.
"""

import math

from spcompile.costs.latency import Latency
from spcompile.kernels.work import Stream, Work
from spcompile.targets.target import Target

# How well parts hide each other; two by Target.out_of_order.
PIPES = 6.0  # the pipes of an out-of-order core among themselves
PHASES = {True: 1.6, False: 1.0}  # summing up against what follows it: epilogue and stores
MEMORY = {True: 3.3, False: 1.0}  # core against bytes from beyond L1
WINDOW_SEEN = 0.05  # of the reorder window that reaches into the next inner loop: a mispredicted exit ends it
MISPREDICTED = 0.45  # of the inner loops' exits; the others are foreseen
HIDING_WINDOW = 300  # instructions in flight for each multiply-add a cycle, from which on they hide a part of unforeseen exits: on Zen 4, not on 5
HIDDEN = 0.35  # that part
WAITS = 2.0  # latencies of L1 that sums left in L2 take to come back
RESIDENT, THRASHED = 0.07, 2.7  # footprint / cache size: up to the first all hits, from the second on all misses
OFFSET_LOAD = 0.8  # of a load slot on x86
LAUNCH_CYCLES = 8_000  # handing work to one more thread that waits for it, and waiting for it; 2 us at 3.7 GHz. Many pass it on: log2(threads) times
CALL_CYCLES = 50  # of one kernel inside the compiled library
LOW, HIGH = 0.8, 1.35  # truth / prediction, 9 times of 10


def predict(work: Work, target: Target, threads: int, loop_cycles: float | None = None, network_bytes: float = 0.0) -> Latency:
    """Latency of one call on `threads` threads (at least 1), or on one where `worth` says so, basis "analytic".

    loop_cycles: of the inner loops' code on one core out of L1, where someone knows them better than the counts tell.
    network_bytes: weights, offsets and workspace of the whole network, among which a call finds its cold streams; 0 for a call repeated alone.
    """
    assert threads >= 1, threads
    seconds = _cycles(work, target, worth(work, target, threads), loop_cycles, network_bytes) / target.clock_hz
    return Latency(seconds, seconds * LOW, seconds * HIGH, "analytic")


def worth(work: Work, target: Target, threads: int) -> int:
    """How many threads a call is split among: all, or one where handing work on takes longer than it saves."""
    return threads if threads > 1 and work.units > 1 and _cycles(work, target, threads) < _cycles(work, target, 1) else 1


def _cycles(work: Work, target: Target, threads: int, loop_cycles: float | None = None, network_bytes: float = 0.0) -> float:
    used = min(threads, target.cores, work.units)
    share = -(-work.units // used) / work.units  # of the thread that gets the most
    core, memory = core_cycles(work, target, loop_cycles) * target.measured_core, memory_cycles(work, target, used, network_bytes)
    return overlap(MEMORY[target.out_of_order], core, memory) * share + CALL_CYCLES + LAUNCH_CYCLES * math.log2(min(threads, target.cores))


def core_cycles(work: Work, target: Target, loop_cycles: float | None = None) -> float:
    """Of one core doing all the work out of L1."""
    phases = overlap(PHASES[target.out_of_order], accumulate_cycles(work, target, loop_cycles), finish_cycles(work, target))
    hidden = HIDDEN if target.reorder_window / target.fma_per_cycle >= HIDING_WINDOW else 0.0
    mispredicted = work.loops * MISPREDICTED + work.unforeseen * (1 - hidden)
    return phases + mispredicted * target.mispredict_cycles + work.waits * WAITS * target.load_latency_cycles


def accumulate_cycles(work: Work, target: Target, loop_cycles: float | None = None) -> float:
    """Of the inner loops.

    Out of order, pipes overlap, and short loops hide each other's waiting for sums inside the reorder window. In order, multiply-adds
    wait for the vectors they need, once a round for the whole latency of a load; scalars are loaded beside them.
    """
    instructions = _instructions(work, target)
    fma, issue = work.fma / (target.fma_per_cycle * _narrow(work, target)), instructions / target.issue_width
    vectors, scalars = _load_cycles(work, target)
    if not target.out_of_order:
        stalled = fma + vectors + work.steps * target.load_latency_cycles if loop_cycles is None else loop_cycles
        return max(issue, fma, vectors + scalars, stalled)
    loads = vectors + scalars
    waiting = max(0.0, 1.0 - WINDOW_SEEN * target.reorder_window * (work.loops + work.unforeseen) / instructions) if instructions else 0.0
    if loop_cycles is not None:
        return max(fma, loads, issue, loop_cycles * waiting)
    return overlap(PIPES, fma, loads, issue, work.steps * target.fma_latency_cycles * waiting)


def finish_cycles(work: Work, target: Target) -> float:
    """Of the epilogue: other arithmetic, and stores into L1."""
    narrow = _narrow(work, target)
    rate = target.arithmetic_per_cycle or target.fma_per_cycle
    return overlap(PIPES, work.arithmetic / (rate * narrow), work.stores / (target.stores_per_cycle * narrow))


def memory_cycles(work: Work, target: Target, threads: int = 1, network_bytes: float = 0.0) -> float:
    """Of moving through one core what L1 does not hold, while `threads` threads share what is shared."""
    return sum([_stream_cycles(stream, target, threads, network_bytes if stream.cold else 0.0) for stream in work.streams if stream.bytes_moved])


def _load_cycles(work: Work, target: Target) -> tuple[float, float]:
    """(of vectors, of scalars): ARM cores read offsets through the pipes that also read vectors, x86 cores mostly beside them."""
    vectors = work.loads / (target.loads_per_cycle * _narrow(work, target)) + work.crossing * target.line_crossing_cycles
    offsets = work.scalar_loads / (target.broadcasts_per_cycle / 2) if target.pairs_loads else work.scalar_loads * OFFSET_LOAD
    return vectors, work.broadcasts / target.broadcasts_per_cycle + offsets


def _instructions(work: Work, target: Target) -> float:
    loads = work.loads + work.broadcasts
    loads = loads - work.used_once if target.folds_loads else loads / 2 if target.pairs_loads else loads
    return work.fma + loads + work.scalar_loads + work.scalar


def _narrow(work: Work, target: Target) -> int:
    """How many registers of the work's width go through a pipe in the time of one full register."""
    return max(1, target.lanes_fp32 // max(target.datapath_lanes, work.lanes)) if work.lanes else 1


def _stream_cycles(stream: Stream, target: Target, threads: int, among_bytes: float) -> float:
    """What misses one level is read from the next."""
    cycles, missed, footprint = 0.0, 1.0, max(stream.footprint_bytes, among_bytes)
    for level, cache in enumerate(target.caches):
        excess = footprint / cache.bytes - RESIDENT
        misses = 0.0 if excess <= 0 else min(missed, excess / (THRASHED - RESIDENT))
        if level:
            cycles += stream.bytes_moved * (missed - misses) / cache.bytes_per_cycle * target.measured_caches
        if not misses:
            return cycles
        missed = misses
    rate = min(target.memory_bytes_per_second, target.memory_bytes_per_second_shared / threads)
    return cycles + stream.bytes_moved * missed * target.clock_hz / rate * target.measured_memory


def overlap(exponent: float, *cycles: float) -> float:
    """How long what goes on at once takes: the longest, and more the nearer the others come to it.

    GPUs' model takes it from here, since baselines know the CPU's model by the digest of this file (`check/snapshot.py`).
    """
    longest = max(cycles)
    return longest * sum([(part / longest) ** exponent for part in cycles]) ** (1.0 / exponent) if longest else 0.0
