"""What one kernel call asks of a machine: counted from the code we emit, never timed."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Stream:
    """Memory read or written by one call.

    bytes_moved: bytes that cross into the registers from beyond L1, re-reads included. footprint_bytes: the set they come from;
    the level of the hierarchy that holds the footprint sets the bandwidth.
    """

    bytes_moved: float
    footprint_bytes: float


@dataclass(frozen=True)
class Work:
    """Instructions of one call (all threads together) and the memory behind them. Vector instructions count whole registers."""

    fma: float = 0.0  # vector fused multiply-adds
    arithmetic: float = 0.0  # other vector arithmetic: epilogues, reductions, masks
    loads: float = 0.0  # vector loads
    broadcasts: float = 0.0  # scalars loaded into every lane
    stores: float = 0.0  # vector stores
    scalar: float = 0.0  # addresses, counters, branches, offsets loaded
    loops: float = 0.0  # inner loops entered: each costs a pipeline fill and a mispredicted exit
    streams: tuple[Stream, ...] = ()
    units: int = 1  # independent pieces that threads can share
    macs: float = 0.0  # useful multiply-accumulates, for reports
