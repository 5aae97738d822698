"""Lists of names in a sentence."""

from collections.abc import Sequence

MOST = 3  # names that a reader takes in


def shortened(names: Sequence[str]) -> str:
    """
    >>> shortened(["a", "b", "c"]), shortened(["a", "b", "c", "d", "e"])
    ('a, b, c', 'a, b, c and 2 more')
    """
    return ", ".join(names[:MOST]) + (f" and {len(names) - MOST} more" if len(names) > MOST else "")
