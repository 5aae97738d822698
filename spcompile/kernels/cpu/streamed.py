"""What is asked for ahead. Weights that come from memory: hardware foresees a stream only up to the end of its page, and starts anew at each.

XNNPACK's sparse products ask for theirs likewise (src/f32-spmm). What it gains: docs/performance.md.
"""

from spcompile.kernels.cpu.reach import BYTES

AHEAD = 2048  # values, 8 KiB, between the one that is multiplied and the one that is asked for; 2 to 16 KiB do about as well
IN_L1 = 1 << 14  # bytes of x that stay in L1, beside all else that passes through it
IN_L2 = 1 << 18  # bytes of a dense matrix that stays in L2, where asking only takes load slots
LIST_AHEAD = 3072  # the same, 12 KiB, of lists on one position
LONG = 1 << 20  # bytes of values and of where they belong, from which on such lists are asked for


def values_ahead(rows: int, columns: int) -> int:
    """How far ahead the values of a matrix [rows, columns] are asked for; 0: not at all, since even dense L2 would hold it."""
    return AHEAD if rows * columns * BYTES >= IN_L2 else 0


def columns_ahead(asked: int, bytes_between: float) -> int:
    """How many columns ahead a product asks for its part of x; `asked` is the target's word, and so many bytes of x pass by until it is read again."""
    return asked if bytes_between > IN_L1 else 0


def list_ahead(stored_bytes: float) -> int:
    """The same of lists on one position, each entry of which is used once; 0 where L2 holds most of them."""
    return LIST_AHEAD if stored_bytes > LONG else 0
