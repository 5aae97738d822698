"""Where a layer runs in a program, apart from its weights: everything that fixes its kernels but the pattern."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product

from spcompile.kernels.cpu import lookup_gemv
from spcompile.kernels.cpu.aligned_spmm import NARROWEST, AlignedSpmm
from spcompile.kernels.cpu.lookup_gemv import LookupGemv
from spcompile.kernels.cpu.offset_gemm import OffsetGemm
from spcompile.kernels.cpu.offset_gemv import OffsetGemv
from spcompile.kernels.cpu.offset_spmm import LATENCY, OffsetSpmm
from spcompile.kernels.cpu.reach import Reach
from spcompile.kernels.cpu.subset_spmm import SubsetSpmm, partly_kept
from spcompile.kernels.expression import Expression
from spcompile.kernels.kernel import Kernel
from spcompile.kernels.operand import Operand
from spcompile.targets.target import Target

BLOCK_ROWS = (1, 2, 4, 8, 16)
DENSE_ROWS = (16, 12, 8, 7, 6, 5, 4, 3, 2, 1)
VECTORS = (1, 2, 3, 4)  # registers of rows that a tile of pixels is multiplied with
FEW_POSITIONS = 8
DEPTHS = (1, 2, 4, 8, 16)
NARROWEST_DEPTH = 32  # input planes; fewer make lists too short
WIDEST = 14  # registers of positions in a tile; more gains 0 to 4 %


@dataclass(frozen=True)
class Site:
    """One image's worth of a layer; `calls` per inference (batches). Counts of blocks are asked by block rows; None = dense."""

    rows: int
    columns: int
    groups: int
    positions: int
    image: tuple[int, int, int]  # height, width, pitch of the pixels among the positions
    x_position_stride: int
    y_row_stride: int
    y_position_stride: int
    x_footprint: int
    reach: Reach
    epilogue: Expression
    operands: tuple[Operand, ...]
    calls: int = 1
    residues: tuple[int, ...] = ()  # of x's offsets in cache lines, where x and its planes begin with one

    def formats(self) -> tuple[int | None, ...]:
        """Rows per offset list that this layer can be stored with."""
        sparse = tuple(r for r in BLOCK_ROWS if (self.rows // self.groups) % r == 0)
        return (None, *sparse) if self.groups == 1 else sparse

    @property
    def scatters(self) -> bool:
        """May rows be computed in another order than they are stored?"""
        return self.groups == 1 and self.x_position_stride == 1 and self.y_position_stride == 1 and self.positions > FEW_POSITIONS

    def dense_blocks(self, block_rows: int) -> int:
        return self.rows // block_rows * self.columns

    def kernels(self, block_rows: int | None, blocks: int, target: Target, threads: int, scattered: bool, weights: int = 0) -> Iterator[Kernel]:
        """Every register tile and loop order that this format allows on the target. weights: kept in all blocks together, where these are not full."""
        if self.x_position_stride == 1 and self.y_position_stride == 1 and self.positions > 1:
            yield from self._spmm(block_rows, blocks, target, threads, scattered and block_rows is not None, weights)
            if block_rows is None and self.groups == 1:
                yield from self._gemm(target)
        if self.positions <= FEW_POSITIONS and not scattered:
            yield from self._gemv(block_rows, blocks, target)

    def _spmm(self, block_rows: int | None, blocks: int, target: Target, threads: int, scattered: bool, weights: int) -> Iterator[OffsetSpmm]:
        per_group = self.rows // self.groups
        for rows in (r for r in DENSE_ROWS if per_group % r == 0) if block_rows is None else (block_rows,):
            count, in_subsets = (self.dense_blocks(rows), False) if block_rows is None else (blocks, partly_kept(rows, blocks, weights))
            for lanes, vectors in product(self._lanes(target), range(1, WIDEST + 1)):
                if lanes < 4 or vectors * lanes > self.positions:
                    continue
                whole, subsets = self._fits(rows, vectors, target)
                for outer, depths in self._orders(block_rows is None, lanes, threads):
                    parts = (
                        self.rows, self.positions, rows, vectors, lanes, self.y_row_stride, count, self.x_footprint, self.reach,
                        self.epilogue, self.operands, block_rows is None, outer, depths, scattered,
                    )  # fmt: skip
                    if whole:
                        yield self._exact(OffsetSpmm(*parts, columns_ahead=target.columns_ahead))
                    apart = threads == 1 or depths == 1 or self.positions % (vectors * lanes) == 0  # do whole tiles not overlap where sums wait?
                    if whole and block_rows == 1 and lanes >= NARROWEST and vectors >= LATENCY and any(self.residues) and apart:
                        yield AlignedSpmm(*parts, residues=tuple(sorted({residue % lanes for residue in self.residues}, reverse=True)))
                    if subsets and in_subsets:
                        yield SubsetSpmm(*parts, weights=weights)

    def _exact(self, kernel: OffsetSpmm) -> OffsetSpmm:
        """One register less where the image's last pixel would have it alone."""
        height, width, pitch = self.image
        last = (height - 1) * pitch + width - 1
        alone = last % kernel.lanes == 0 and kernel.tile <= last and kernel.rows >= LATENCY
        return replace(kernel, positions=last, beside=1) if alone else kernel

    def _fits(self, rows: int, vectors: int, target: Target) -> tuple[bool, bool]:
        """Has the target registers enough for a tile, where all rows keep the same columns, and where they need not?"""
        sums = rows * vectors
        read = 1 if rows == 1 and target.folds_loads else vectors  # what one row uses once needs no register of its own
        return max(sums, LATENCY) + read + 1 <= target.vector_registers, 2 * LATENCY <= sums <= target.vector_registers - rows - 1

    def _gemm(self, target: Target) -> Iterator[OffsetGemm]:
        """One or two rows of pixels of each width that cuts the image's evenly, against as many registers of rows as there are left."""
        height, width, _ = self.image
        widths = sorted({-(-width // count) for count in range(1, width + 1)})
        for vectors, tile_height, tile_width in product(VECTORS, (1, 2), widths):
            pixels = tile_height * tile_width
            held = 1 if target.x86 else -(-pixels // target.lanes_fp32)  # x86 spreads numbers from memory, ARM from lanes of a register
            fits = (pixels + 1) * vectors + held <= target.vector_registers and tile_height <= height and vectors * target.lanes_fp32 <= self.rows
            if not fits or pixels * vectors < 2 * LATENCY:
                continue
            for outer in (False, True):
                yield OffsetGemm(
                    self.rows, self.columns, *self.image, vectors, tile_height, tile_width, target.lanes_fp32, self.y_row_stride, self.x_footprint,
                    self.reach, self.epilogue, self.operands, outer, target.columns_ahead,
                )  # fmt: skip

    def _lanes(self, target: Target) -> tuple[int, ...]:
        """Whole registers; halves too where positions do not fill two."""
        full = target.lanes_fp32
        return (full, full // 2) if self.positions < 2 * full else (full,)

    def _orders(self, dense: bool, lanes: int, threads: int) -> Iterator[tuple[bool, int]]:
        """(positions outermost, ranges of columns)."""
        yield False, 1
        yield True, 1
        if not dense and (threads == 1 or self.positions % lanes == 0):
            yield from ((True, depths) for depths in DEPTHS[1:] if self.reach.planes // depths >= NARROWEST_DEPTH)

    def _gemv(self, block_rows: int | None, blocks: int, target: Target) -> Iterator[OffsetGemv | LookupGemv]:
        strides = (self.x_position_stride, self.y_row_stride, self.y_position_stride)
        if block_rows is None:
            for registers in (4, 2, 1):
                rows = registers * target.lanes_fp32
                padded = -(-self.rows // rows) * rows
                if padded == self.rows or (self.positions == 1 and self.y_row_stride == 1):
                    yield OffsetGemv(
                        padded, self.positions, rows, target.lanes_fp32, *strides, padded // rows * self.columns, self.x_footprint,
                        self.epilogue, self.operands, True,
                    )  # fmt: skip
            return
        yield OffsetGemv(
            self.rows, self.positions, block_rows, target.lanes_fp32, *strides, blocks, self.x_footprint, self.epilogue, self.operands
        )  # fmt: skip
        if target.x86 and target.lanes_fp32 == lookup_gemv.LANES and self._is_vector and block_rows in lookup_gemv.ROWS:
            for registers in lookup_gemv.REGISTERS:
                if registers * lookup_gemv.LANES <= self.columns:
                    yield LookupGemv(self.rows, self.columns, block_rows, registers, self.y_row_stride, blocks, self.epilogue, self.operands)

    @property
    def _is_vector(self) -> bool:
        """Is x one row of numbers, in the order of the columns?"""
        reach = self.reach
        rows_of_numbers = reach.plane_elements == reach.rows == reach.columns == 1 and reach.planes == self.columns
        return self.positions == self.groups == 1 and rows_of_numbers and self.columns <= lookup_gemv.MOST_COLUMNS
