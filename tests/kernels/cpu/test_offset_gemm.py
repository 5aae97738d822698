"""The dense product with rows in the lanes and tiles of pixels, against numpy in float64."""

import numpy as np
import pytest

from spcompile.formats.block_rows import pack
from spcompile.kernels.cpu.offset_gemm import OffsetGemm
from spcompile.kernels.cpu.reach import Reach
from spcompile.kernels.expression import ACCUMULATOR, operand
from spcompile.kernels.operand import Operand

IMAGES = (  # rows beyond whole registers, columns, height, width, pitch, vectors, tile height, tile width
    (0, 9, 7, 7, 8, 2, 1, 7),
    (5, 17, 7, 7, 9, 1, 2, 7),
    (3, 4, 5, 6, 6, 2, 1, 4),
    (0, 33, 3, 19, 20, 1, 1, 19),
    (1, 1, 2, 2, 4, 1, 2, 2),
    (9, 8, 1, 14, 14, 1, 1, 14),
    (2, 6, 4, 5, 5, 1, 1, 1),
)


def case(target, shape, rng, outer, epilogue=ACCUMULATOR, operands=(), tensors=(), ahead=0):
    """-> (call, the product [rows, height, width] in float64). Everything that is no pixel is NaN, in x and in y."""
    more, columns, height, width, pitch, vectors, tile_height, tile_width = shape
    lanes = target.lanes_fp32
    rows, stride = vectors * lanes + more, height * pitch + 3
    matrix = rng.standard_normal((rows, columns)).astype(np.float32)
    x, y = (np.full((count, stride), np.nan, np.float32) for count in (columns, rows))
    pixels = (np.arange(height)[:, None] * pitch + np.arange(width)).ravel()
    x[:, pixels] = rng.standard_normal((columns, len(pixels)))
    kernel = OffsetGemm(
        rows, columns, height, width, pitch, vectors, tile_height, tile_width, lanes, stride, x.size, Reach(columns, stride, 1, 1, pitch), epilogue,
        operands, outer, ahead,
    )  # fmt: skip
    packed = pack(matrix[np.add.outer(kernel.row_blocks, np.arange(kernel.rows)).ravel()], None, kernel.rows)
    offsets = np.append(packed.columns * stride, np.full(kernel.x_ahead, -(1 << 20))).astype(np.int32)  # the last are asked for and never read
    expected = matrix.astype(np.float64) @ x[:, pixels].astype(np.float64)
    return (kernel, [x, packed.values.ravel(), offsets, packed.starts, y, *tensors]), expected, pixels


def check(y, expected, pixels, what) -> None:
    y = y.reshape(len(expected), -1)
    np.testing.assert_allclose(y[:, pixels], expected, rtol=0, atol=2e-6 * max(1, np.abs(expected).max()), err_msg=str(what))
    assert np.isnan(np.delete(y, pixels, axis=1)).all(), what  # nothing but pixels is written


@pytest.mark.parametrize("threads", [1, 2])
def test_product(call_kernels, target, threads):
    rng = np.random.default_rng(threads)
    cases = [case(target, shape, rng, outer=index % 2 == threads - 1) for index, shape in enumerate(IMAGES)]
    for shape, (_, expected, pixels), arrays in zip(IMAGES, cases, call_kernels([call for call, *_ in cases], target, threads), strict=True):
        check(arrays[4], expected, pixels, shape)


@pytest.mark.parametrize("outer", [False, True])
def test_asking_for_pixels_reads_nothing_more(call_kernels, target, outer):
    """Where x is more than L1 holds: one row of pixels in a register, two rows, rows longer than a register."""
    rng, shapes = np.random.default_rng(2), ((5, 200, 7, 7, 9, 2, 1, 7), (0, 150, 14, 14, 16, 1, 2, 7), (3, 170, 5, 19, 20, 1, 1, 10))
    cases = [case(target, shape, rng, outer, ahead=5) for shape in shapes]
    assert all(call[0].x_ahead == 5 for call, *_ in cases)
    for shape, (_, expected, pixels), arrays in zip(shapes, cases, call_kernels([call for call, *_ in cases], target), strict=True):
        check(arrays[4], expected, pixels, shape)


def test_epilogue_of_bias_residual_and_mask(call_kernels, target):
    """max(product + bias + residual, 0); residual and mask are read at pixels only."""
    rng, shape = np.random.default_rng(0), IMAGES[1]
    rows, stride = target.lanes_fp32 + shape[0], shape[2] * shape[4] + 3
    _, _, pixels = case(target, shape, np.random.default_rng(0), False)
    bias, residual, mask = rng.standard_normal(rows).astype(np.float32), np.full((rows, stride), np.nan, np.float32), np.zeros(stride, np.float32)
    residual[:, pixels], mask[pixels] = rng.standard_normal((rows, len(pixels))), 1
    total = ("relu", ("add", ("add", operand(0), operand(1)), operand(2)))
    operands = (Operand(1, 0), Operand(stride, 1), Operand(0, 1))
    call, product, pixels = case(target, shape, rng, False, ("where", operand(3), total, ("const", 0.0)), operands, (bias, residual, mask))
    (arrays,) = call_kernels([call], target)
    check(arrays[4], np.maximum(product + bias[:, None] + residual[:, pixels], 0), pixels, shape)


def test_an_operand_with_rows_innermost(call_kernels, target):
    """It lies across the lanes that are written together."""
    rng, shape = np.random.default_rng(1), IMAGES[1]
    rows, stride = target.lanes_fp32 + shape[0], shape[2] * shape[4] + 3
    residual = rng.standard_normal((stride, rows)).astype(np.float32)
    call, product, pixels = case(target, shape, rng, False, ("add", operand(0), operand(1)), (Operand(1, rows),), (residual,))
    (arrays,) = call_kernels([call], target)
    check(arrays[4], product + residual[pixels].T, pixels, shape)


def test_tiles_and_blocks_stay_inside():
    with pytest.raises(AssertionError):
        OffsetGemm(8, 4, 7, 7, 8, 1, 1, 7, 16, 56, 224, Reach(4, 56, 1, 1, 8))
    with pytest.raises(AssertionError):
        OffsetGemm(16, 4, 7, 7, 8, 1, 1, 8, 16, 56, 224, Reach(4, 56, 1, 1, 8))
