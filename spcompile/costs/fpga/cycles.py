"""Cycles of the array itself, everything in its buffers: exact, and the same in the simulator and in the generated hardware."""

from math import ceil

from spcompile.targets.accelerator import Accelerator


def groups_at_once(of: int, slots: int, target: Accelerator) -> int:
    """Groups of columns that one window brings: as many as lanes and window hold; 1 where a group has more slots than there are lanes."""
    assert of <= target.window_columns, (of, target.name)
    return max(1, min(target.array_lanes // slots, target.window_columns // of))


def lanes_used(of: int, slots: int, target: Accelerator) -> int:
    """Multipliers of a row that a window keeps busy."""
    return groups_at_once(of, slots, target) * slots if slots <= target.array_lanes else target.array_lanes


def column_steps(groups: int, of: int, slots: int, target: Accelerator) -> int:
    """Windows that a row of `groups` groups takes at each position."""
    return ceil(groups / groups_at_once(of, slots, target)) * ceil(slots / target.array_lanes)


def tile_cycles(steps: int, positions: int, target: Accelerator) -> int:
    """One row tile over `positions` outputs, fill and drain aside."""
    windows = ceil(positions / target.array_positions) if steps else 0
    if target.dataflow == "weight-stationary":
        return steps * max(windows, target.weight_load_cycles, target.accumulate_cycles if steps > 1 else 1)
    return windows * max(steps, target.result_cycles)


def fill_cycles(target: Accelerator) -> int:
    """Before the first window enters: the first weights, which nothing hides."""
    return target.weight_load_cycles if target.dataflow == "weight-stationary" else 0


def drain_cycles(target: Accelerator) -> int:
    """After the last window entered."""
    return target.pipeline_cycles
