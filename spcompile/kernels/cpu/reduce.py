"""Reductions over axes of a strided view: means, sums, maxima, as in global pooling, softmax and normalisation.

    y[o...] = finish( reduce_r element(x[o..., r...]) )

Lanes run over an outer axis that is contiguous in x, else over a contiguous reduced axis, else there is one lane.
"""

import math
from dataclasses import dataclass

from spcompile.kernels.axes import merged
from spcompile.kernels.cpu.reach import BYTES
from spcompile.kernels.expression import ACCUMULATOR, Expression, operations
from spcompile.kernels.kernel import Kernel
from spcompile.kernels.work import Stream, Work


@dataclass(frozen=True)
class Reduce(Kernel):
    """Pointers: x, y. Axes are (extent, x stride, y stride) outside, (extent, x stride) inside, outermost first; extents > 1."""

    reduction: str
    outer: tuple[tuple[int, int, int], ...]
    inner: tuple[tuple[int, int], ...]
    lanes: int
    element: Expression = ACCUMULATOR
    finish: Expression = ACCUMULATOR

    @classmethod
    def over(cls, reduction, outer, inner, lanes, element=ACCUMULATOR, finish=ACCUMULATOR) -> "Reduce":
        """Drop axes of extent 1, order each group by x stride, merge reduced axes that run on."""
        kept = tuple(sorted((axis for axis in outer if axis[0] > 1), key=lambda axis: -axis[1]))
        return cls(reduction, kept, tuple(merged(sorted(inner, key=lambda axis: -axis[1]))), lanes, element, finish)

    @property
    def code(self) -> tuple:
        return (self.reduction, self.outer, self.inner, self.lanes, self.element, self.finish)

    @property
    def title(self) -> str:
        return f"f32_reduce_{self.reduction}_{'x'.join(str(a[0]) for a in self.outer) or '1'}_of_{'x'.join(str(a[0]) for a in self.inner) or '1'}"

    @property
    def outer_lanes(self) -> int:
        """Lanes over the last outer axis, 1 if it is not contiguous in x."""
        return _fitting(self.lanes, self.outer[-1][0]) if self.outer and self.outer[-1][1] == 1 else 1

    @property
    def inner_lanes(self) -> int:
        return _fitting(self.lanes, self.inner[-1][0]) if self.outer_lanes == 1 and self.inner and self.inner[-1][1] == 1 else 1

    def work(self) -> Work:
        outside, inside = math.prod(a[0] for a in self.outer), math.prod(a[0] for a in self.inner)
        cells = outside * inside / max(self.outer_lanes, self.inner_lanes)
        return Work(
            arithmetic=cells * (1 + operations(self.element)) + outside / self.outer_lanes * operations(self.finish),
            loads=cells,
            stores=outside / self.outer_lanes,
            scalar=cells * 2,
            loops=outside / self.outer_lanes,
            streams=(Stream(outside * inside * BYTES, outside * inside * BYTES),),
            units=self.outer[0][0] if len(self.outer) > (self.outer_lanes > 1) else 1,
        )

    def emit(self, threads: int):
        from spcompile.kernels.cpu.reduce_code import emit

        return emit(self, threads)


def _fitting(lanes: int, extent: int) -> int:
    while lanes > extent:
        lanes //= 2
    return lanes
