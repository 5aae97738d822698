"""Lists cut into steps of so many entries out of one window of columns: what `LookupGemv` reads."""

from dataclasses import dataclass

import numpy as np

from spcompile.formats.block_rows import BlockRows


@dataclass(frozen=True, eq=False)
class LookupSteps:
    """values: float32 [steps, per_step, block_rows], zero behind a step's last entry. places: uint8 [steps, per_step], columns from the window's first on, zero
    behind the last. bases: int16 [steps], first columns. starts: int32 [row_blocks + 1], where each block of rows begins among the steps.
    """

    values: np.ndarray
    places: np.ndarray
    bases: np.ndarray
    starts: np.ndarray


def cut(packed: BlockRows, per_step: int, window: int, align: int) -> LookupSteps:
    """Each step takes what is left of its list, up to `per_step` entries and to the end of its window, which begins at a multiple of `align` columns or
    ends with the last column.
    """
    assert window <= packed.matrix_columns <= np.iinfo(np.int16).max and window <= np.iinfo(np.uint8).max + 1, (window, packed.matrix_columns)
    at, ends, places = packed.starts[:-1].astype(np.int64), packed.starts[1:], np.arange(per_step)
    steps = []  # of all lists at once: (list, first entry, entries, base)
    while len(open_lists := np.flatnonzero(at < ends)):
        first = at[open_lists]
        base = np.minimum(packed.columns[first] // align * align, packed.matrix_columns - window)
        entries = first[:, None] + places
        columns = packed.columns[np.minimum(entries, len(packed.columns) - 1)]
        taken = ((entries < ends[open_lists, None]) & (columns < base[:, None] + window)).sum(axis=1)
        steps.append((open_lists, first, taken, base))
        at[open_lists] += taken
    return _in_order(packed, steps, places)


def _in_order(packed: BlockRows, steps: list[tuple[np.ndarray, ...]], places: np.ndarray) -> LookupSteps:
    """List by list."""
    lists, first, taken, base = (np.concatenate([step[part] for step in steps] or [np.zeros(0, np.int64)]) for part in range(4))
    order = np.argsort(lists, kind="stable")
    first, taken, base = first[order], taken[order], base[order]
    kept = places < taken[:, None]
    entries = np.where(kept, first[:, None] + places, 0)
    values = np.where(kept[:, :, None], packed.values[entries], np.float32(0)) if len(entries) else np.zeros((0, len(places), packed.block_rows), np.float32)
    columns = np.where(kept, packed.columns[entries] - base[:, None], 0) if len(entries) else np.zeros((0, len(places)))
    starts = np.concatenate([[0], np.cumsum(np.bincount(lists, minlength=packed.row_blocks))])
    return LookupSteps(values, columns.astype(np.uint8), base.astype(np.int16), starts.astype(np.int32))
