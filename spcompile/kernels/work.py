"""What one kernel call asks of a machine: counted from the code we emit, never timed. Planning counts tens of thousands: tuples are made fastest."""

from typing import NamedTuple


class Stream(NamedTuple):
    """Memory read or written by one call.

    bytes_moved: in whole cache lines, re-reads included. footprint_bytes: the set they come from; the level of the hierarchy that
    holds the footprint sets the bandwidth, and what L1 holds is free. cold: not touched since the network's other data passed by:
    weights and offsets met for the first time in a call, and memory that results are written to.
    """

    bytes_moved: float
    footprint_bytes: float
    cold: bool = False


class Work(NamedTuple):
    """Instructions of one call (all threads together) and the memory behind them. Vector instructions count registers of `lanes` fp32."""

    lanes: int = 0  # 0: the target's widest
    fma: float = 0.0  # vector fused multiply-adds
    arithmetic: float = 0.0  # other vector arithmetic: epilogues, reductions, masks
    loads: float = 0.0  # vector loads
    broadcasts: float = 0.0  # scalars loaded into every lane
    stores: float = 0.0  # vector stores
    scalar_loads: float = 0.0  # offsets and indices, into integer registers
    scalar: float = 0.0  # addresses, counters, branches
    used_once: float = 0.0  # of loads and broadcasts, those that one instruction uses: x86 reads them as its memory operand
    crossing: float = 0.0  # of vector loads, those expected to straddle two cache lines
    steps: float = 0.0  # rounds of inner loops that must wait for the sums of the round before
    loops: float = 0.0  # inner loops entered: each costs a start and, now and then, a mispredicted exit
    waits: float = 0.0  # of them, those that begin with sums which another loop left in memory
    unforeseen: float = 0.0  # penalties of a misprediction at exits of further inner loops, whose lengths no predictor learns, where nothing hides them
    streams: tuple[Stream, ...] = ()
    units: int = 1  # independent pieces that threads can share
    macs: float = 0.0  # useful multiply-accumulates, for reports
