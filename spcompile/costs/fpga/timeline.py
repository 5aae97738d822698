"""From blocks to cycles: loads, array and stores overlap through halves of buffers. The simulator's recurrence, and the model that the search uses."""

import numpy as np

from spcompile.costs.fpga.tiling import Blocks
from spcompile.targets.accelerator import Accelerator


def transfer_cycles(size_bytes: np.ndarray, target: Accelerator) -> np.ndarray:
    """Of one transfer each; nothing takes nothing."""
    moving = np.ceil(size_bytes / target.memory_bytes_per_cycle).astype(np.int64)
    return np.where(size_bytes > 0, moving + target.memory_latency_cycles, 0)


def simulated(blocks: Blocks, fill: int, drain: int, target: Accelerator) -> tuple[int, int]:
    """-> (cycles from the first transfer to the last, cycles in which the array waited for memory), block by block.

    One memory port, in order: load 0, load 1, store 0, load 2, store 1, ... Load i waits for the half that block i-2 used; block i for load i
    and for store i-2, whose half of the output buffer it needs.
    """
    loads, stores = transfer_cycles(blocks.load_bytes, target).tolist(), transfer_cycles(blocks.store_bytes, target).tolist()
    cycles, count = blocks.cycles.tolist(), len(blocks.cycles)
    loaded, computed, stored = [0] * count, [0] * count, [0] * count
    port = loaded[0] = loads[0]
    array = waited = 0
    for i in range(count):
        if i + 1 < count:
            if loads[i + 1]:
                port = max(port, computed[i - 1] if i else 0) + loads[i + 1]
            loaded[i + 1] = port if loads[i + 1] else loaded[i]
        start = max(array, loaded[i], stored[i - 2] if i > 1 else 0)
        waited += start - array
        array = computed[i] = start + cycles[i] + (fill if i == 0 else 0)
        if stores[i]:
            port = stored[i] = max(port, computed[i] + (drain if i == count - 1 else 0)) + stores[i]
        else:
            stored[i] = computed[i]
    return max(port, array + drain), waited


def predicted(blocks: Blocks, fill: int, drain: int, target: Accelerator) -> float:
    """Cycles, in closed form: each block takes as long as the longer of its own cycles and the transfers beside it, the next load and the last store."""
    loads, stores = transfer_cycles(blocks.load_bytes, target), transfer_cycles(blocks.store_bytes, target)
    beside = np.append(loads[1:], 0) + np.append(0, stores[:-1])
    return float(loads[0] + fill + np.maximum(blocks.cycles, beside).sum() + drain + stores[-1])
