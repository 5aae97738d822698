"""Buffers that are never alive at the same step share memory."""

from spcompile.lowering.program import ALIGNMENT, Buffer, Step

OVERREAD = 64  # elements behind the last buffer that a whole register may read; what is read there is never used


def lifetimes(buffers: list[Buffer], steps: list[Step]) -> dict[int, tuple[int, int]]:
    """Workspace buffer -> (first, last) step that touches it."""
    spans: dict[int, tuple[int, int]] = {}
    for at, step in enumerate(steps):
        for argument in step.arguments:
            if buffers[argument.buffer].kind == "workspace":
                spans[argument.buffer] = (spans.get(argument.buffer, (at, at))[0], at)
    return spans


def place(buffers: list[Buffer], steps: list[Step]) -> tuple[dict[int, int], int]:
    """-> (buffer -> start, total elements).

    Largest first, each at the lowest start that is free during its whole life (greedy by size, Pisarchyk and Lee, arXiv:2001.03288).
    """
    spans = lifetimes(buffers, steps)
    starts: dict[int, int] = {}
    for buffer in sorted(spans, key=lambda b: (-buffers[b].elements, b)):
        begin, end = spans[buffer]
        neighbours = sorted((starts[b], _padded(buffers[b])) for b in starts if spans[b][0] <= end and begin <= spans[b][1])
        start = 0
        for other, size in neighbours:
            if start + _padded(buffers[buffer]) <= other:
                break
            start = max(start, other + size)
        starts[buffer] = start
    total = max((starts[b] + _padded(buffers[b]) for b in starts), default=-OVERREAD) + OVERREAD
    return starts, total


def _padded(buffer: Buffer) -> int:
    return -(-buffer.elements // ALIGNMENT) * ALIGNMENT
