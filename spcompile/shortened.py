"""Lists of names in a sentence."""

from collections.abc import Sequence

MOST = 3  # names that a reader takes in


def shortened(names: Sequence[str], most: int = MOST) -> str:
    """
    >>> shortened(["a", "b", "c"]), shortened(["a", "b", "c", "d", "e"])
    ('a, b, c', 'a, b, c and 2 more')
    """
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
