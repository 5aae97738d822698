"""Where a tensor lies: a strided window on a buffer, so that reshapes, transposes and slices cost nothing."""

import math
from dataclasses import dataclass, replace

from spcompile.kernels.axes import merged


@dataclass(frozen=True)
class View:
    """Element [i, j, ...] lies at offset + i * strides[0] + j * strides[1] + ... of `buffer`, counted in elements."""

    buffer: int
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    dtype: str = "float32"

    def __post_init__(self):
        assert len(self.shape) == len(self.strides), self

    def transpose(self, order) -> "View":
        return replace(self, shape=tuple(self.shape[a] for a in order), strides=tuple(self.strides[a] for a in order))

    def slice(self, axis: int, start: int, count: int, step: int = 1) -> "View":
        """Elements start, start + step, ... along an axis; `step` may be negative."""
        shape, strides = list(self.shape), list(self.strides)
        offset = self.offset + start * strides[axis]
        shape[axis], strides[axis] = count, strides[axis] * step
        return replace(self, offset=offset, shape=tuple(shape), strides=tuple(strides))

    def broadcast(self, shape: tuple[int, ...]) -> "View":
        """To a larger shape by numpy's rules; repeated axes get stride 0."""
        missing = len(shape) - len(self.shape)
        own = (1,) * missing + self.shape
        strides = (0,) * missing + self.strides
        assert all(n in (1, wide) for n, wide in zip(own, shape, strict=True)), (self.shape, shape)
        return replace(self, shape=tuple(shape), strides=tuple(0 if n == 1 and wide != 1 else s for n, wide, s in zip(own, shape, strides, strict=True)))

    def reshape(self, shape: tuple[int, ...]) -> "View | None":
        """The same elements under another shape, or None where only a copy could do it."""
        assert math.prod(shape) == math.prod(self.shape), (self.shape, shape)
        pending = merged(zip(self.shape, self.strides, strict=True))
        strides: list[int] = []
        for extent in reversed(shape):
            if extent == 1:
                strides.append(0)
                continue
            if not pending:
                return None
            available, step = pending[-1]
            if available % extent:
                return None
            strides.append(step)
            pending.pop()
            if available > extent:
                pending.append((available // extent, step * extent))
        return replace(self, shape=tuple(shape), strides=tuple(reversed(strides)))


def row_major(shape: tuple[int, ...]) -> tuple[int, ...]:
    strides = [1] * len(shape)
    for axis in range(len(shape) - 2, -1, -1):
        strides[axis] = strides[axis + 1] * shape[axis + 1]
    return tuple(strides)


def ordered(shape: tuple[int, ...], like: tuple[int, ...]) -> tuple[int, ...]:
    """Gapless strides for `shape` in the axis order of the strides `like` (largest stride outermost, ties as written)."""
    order = sorted(range(len(shape)), key=lambda axis: (-like[axis], axis))
    compact = row_major(tuple(shape[axis] for axis in order))
    strides = [0] * len(shape)
    for place, axis in enumerate(order):
        strides[axis] = compact[place]
    return tuple(strides)
