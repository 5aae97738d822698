"""Axes that several tensors are walked along together."""

from collections.abc import Iterable, Sequence


def merged(axes: Iterable[tuple[int, ...]]) -> list[tuple[int, ...]]:
    """axes: (extent, stride of each tensor), outermost first. Those of extent 1 are dropped, those that continue the next in every tensor become one with it.

    >>> merged([(2, 12, 0), (3, 4, 0), (1, 7, 7), (4, 1, 1)])
    [(6, 4, 0), (4, 1, 1)]
    """
    found: list[tuple[int, ...]] = []
    for extent, *strides in axes:
        if extent == 1:
            continue
        if found and found[-1][1:] == tuple(stride * extent for stride in strides):
            extent *= found.pop()[0]
        found.append((extent, *strides))
    return found


def offset(at: Sequence, strides: Sequence[int]):
    """Sum of index times stride, of numbers or of TIR's expressions; 0 without axes."""
    return sum(index * stride for index, stride in zip(at, strides, strict=True))
