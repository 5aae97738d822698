"""The state of lowering to a GPU: 16-bit activations, images with their channels innermost, constants by type."""

from collections.abc import Callable
from typing import ClassVar

import ml_dtypes
import numpy as np

from spcompile.kernels.cpu.elementwise import Elementwise
from spcompile.kernels.expression import ACCUMULATOR, Expression
from spcompile.kernels.gpu.grid_map import GridMap
from spcompile.kernels.gpu.kernel import GpuKernel
from spcompile.kernels.gpu.tile_output import QUAD
from spcompile.kernels.gpu.window import CHUNK
from spcompile.lowering.emitter import Emitter, pointer
from spcompile.lowering.program import ALIGNMENT
from spcompile.lowering.view import View, row_major
from spcompile.targets.gpu import Gpu

Choose = Callable[[list[GpuKernel], Gpu], int]  # of kernels that compute the same layer, the first dense: the place of the one to take


def aligned(*views: View) -> bool:
    """Do all begin at a multiple of four elements?"""
    return not any(view.offset % QUAD for view in views)


class NoImages:
    """Images need no plan: windows find their borders themselves."""

    images: dict = {}  # noqa: RUF012 - nothing is ever put in


class GpuEmitter(Emitter):
    """`dtype`: of activations and weights, "float16" or "bfloat16"; of a view by the region it lies in."""

    REGIONS: ClassVar[dict[str, str]] = {"float32": "numbers", "uint16": "values", "uint32": "words"}
    WHOLE = ALIGNMENT

    def __init__(self, gpu: Gpu, dtype: str, choose: Choose):
        super().__init__(gpu, 1, NoImages(), None)
        self.dtype, self.choose = dtype, choose
        self._copies: dict[tuple[View, str], View] = {}  # whose layout products cannot read, and in which one its copy is
        self.layers: dict[str, GpuKernel] = {}  # by the name of the layer that it computes

    def dtype_of(self, view: View) -> str:
        kind = self.buffers[view.buffer].kind
        return self.dtype if kind in ("workspace", "values") else "float32" if kind == "numbers" else view.dtype

    def halves(self, array: np.ndarray) -> np.ndarray:
        """Rounded to the program's 16 bits, as uint16."""
        return np.ascontiguousarray(array).astype(np.float16 if self.dtype == "float16" else ml_dtypes.bfloat16).view(np.uint16)

    def image(self, shape: tuple[int, ...]) -> View:
        """A new [N, C, H, W] with channels innermost, pixels whole chunks apart."""
        n, c, h, w = shape
        pixel = -(-c // CHUNK) * CHUNK
        return View(self.buffer("workspace", n * h * w * pixel), 0, tuple(shape), (h * w * pixel, 1, w * pixel, pixel))

    def elementwise(self, out: View, inputs: list[View], expression: Expression = ACCUMULATOR) -> None:
        inputs = [view.broadcast(out.shape) for view in inputs]
        dtypes = [self.dtype_of(view) for view in inputs]
        loop = Elementwise.over(out.shape, out.strides, [view.strides for view in inputs], expression, 1, dtypes)
        self.call(GridMap(loop, self.dtype_of(out)), pointer(out), *(pointer(view) for view in inputs))

    def chunked_image(self, view: View) -> View:
        """[N, C, H, W] as products read it: channels adjacent, all else in whole chunks; itself or a copy."""
        return view if self._in_chunks(view) else self.copied(view, self.image)

    def chunked_rows(self, view: View) -> View:
        """[..., columns] as products read it, [positions, columns]: columns adjacent, positions in whole chunks; itself or a copy."""
        shape = int(np.prod(view.shape[:-1])), view.shape[-1]
        flat = view.reshape(shape)
        return flat if flat is not None and self._in_chunks(flat) else self.copied(view, self.matrix).reshape(shape)

    def _in_chunks(self, view: View) -> bool:
        """Is the second axis adjacent, and all else in whole chunks?"""
        others = [s for at, (n, s) in enumerate(zip(view.shape, view.strides, strict=True)) if at != 1 and n > 1]
        adjacent = view.shape[1] == 1 or view.strides[1] == 1
        return adjacent and self.dtype_of(view) == self.dtype and all(s > 0 and s % CHUNK == 0 for s in others) and view.offset % CHUNK == 0

    def copied(self, view: View, new: Callable[[tuple[int, ...]], View]) -> View:
        """The same numbers in a tensor as `new` (image or matrix) makes it, one for all that read it."""
        key = view, new.__name__
        if key not in self._copies:
            self._copies[key] = new(view.shape)
            self.elementwise(self._copies[key], [view])
        return self._copies[key]

    def matrix(self, shape: tuple[int, ...]) -> View:
        """A new tensor in row-major order, its last axis padded to whole chunks."""
        padded = (*shape[:-1], -(-shape[-1] // CHUNK) * CHUNK)
        return View(self.buffer("workspace", int(np.prod(padded))), 0, tuple(shape), row_major(padded))
