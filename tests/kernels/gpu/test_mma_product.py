"""The emitted code of tensor-core products, run statement by statement, against float64 at sizes that fill no tile."""

import dataclasses

import ml_dtypes
import numpy as np
import pytest

from spcompile.formats.column_blocks import pack as pack_blocks
from spcompile.formats.two_of_four import pack
from spcompile.kernels.expression import operand
from spcompile.kernels.gpu.mma_product import MmaProduct
from spcompile.kernels.gpu.tile import HOPPER_TILES, TILES, Tile, swizzled
from spcompile.kernels.gpu.window import Window
from spcompile.kernels.operand import Operand
from spcompile.patterns import parse
from tests.kernels.gpu import simulator
from tests.kernels.gpu.simulator import launch

HALVES = {"float16": np.float16, "bfloat16": ml_dtypes.bfloat16}
ROUNDING = {"float16": 2.0**-11, "bfloat16": 2.0**-8}  # of the result, relative
SMALL = Tile(64, 32, (2, 2), 3)
SMALL_HOPPER = Tile(64, 32, (4, 1), 4, warpgroups=True)
BIAS = ("relu", ("add", operand(0), operand(1)))
instructions = pytest.mark.parametrize("small", [SMALL, SMALL_HOPPER], ids=["mma", "wgmma"])
kinds = pytest.mark.parametrize("two_of_four", [False, True], ids=["dense", "2:4"])


def weights(rows: int, columns: int, two_of_four: bool, half) -> np.ndarray:
    rng = np.random.default_rng(rows)
    matrix = rng.standard_normal((rows, columns))
    return np.where(parse("2:4").mask(np.abs(matrix), 0.5), matrix, 0).astype(half) if two_of_four else matrix.astype(half)


def run(kernel: MmaProduct, matrix: np.ndarray, x: np.ndarray, *operands: np.ndarray) -> np.ndarray:
    """-> y [positions, y_stride]; what the kernel leaves alone stays NaN."""
    half = HALVES[kernel.dtype]
    y = np.full(kernel.batch * kernel.positions * kernel.y_stride, np.nan, half)
    if kernel.two_of_four:
        packed = pack(matrix)
        stored = (packed.values.ravel(), packed.metadata.ravel())
    else:
        stored = (matrix.ravel(),)
    launch(kernel.emit(1), *stored, x.ravel(), y, *operands)
    return y.reshape(-1, kernel.y_stride)


def check(found: np.ndarray, expected: np.ndarray, dtype: str) -> None:
    np.testing.assert_allclose(found.astype(np.float64), expected, rtol=ROUNDING[dtype], atol=1e-4 * np.abs(expected).max())


@kinds
@instructions
@pytest.mark.parametrize("dtype", HALVES)
@pytest.mark.parametrize(("rows", "positions", "columns"), [(72, 40, 136), (17, 3, 8), (64, 32, 64), (65, 33, 200), (8, 1, 24)])
def test_linear(two_of_four, small, dtype, rows, positions, columns):
    half, rng = HALVES[dtype], np.random.default_rng(0)
    matrix, x, bias = weights(rows, columns, two_of_four, half), rng.standard_normal((positions, columns)).astype(half), rng.standard_normal(rows)
    stride = -(-columns // 64) * 32 if two_of_four else columns
    kernel = MmaProduct(
        rows, positions, Window.linear(positions, columns, columns), stride, rows + 3, small, dtype, two_of_four, epilogue=BIAS,
        operands=(Operand(1, 0),), operand_dtypes=("float32",),
    )  # fmt: skip
    y = run(kernel, matrix, x, bias.astype(np.float32))
    check(y[:, :rows], np.maximum(x.astype(np.float64) @ matrix.astype(np.float64).T + bias, 0), dtype)
    assert np.isnan(y[:, rows:].astype(np.float32)).all(), "the kernel wrote beyond its rows"


@kinds
@pytest.mark.parametrize("tile", TILES + HOPPER_TILES, ids=lambda tile: f"{'wgmma' if tile.warpgroups else 'mma'} {tile.rows}x{tile.positions}")
def test_every_tile(two_of_four, tile):
    rows, positions, columns, rng = tile.rows + 8, tile.positions + 1, 72, np.random.default_rng(1)
    matrix, x = weights(rows, columns, two_of_four, np.float16), rng.standard_normal((positions, columns)).astype(np.float16)
    kernel = MmaProduct(rows, positions, Window.linear(positions, columns, columns), 64 if two_of_four else columns, rows, tile, "float16", two_of_four)
    check(run(kernel, matrix, x), x.astype(np.float64) @ matrix.astype(np.float64).T, "float16")


WINDOWS = {
    "1x1 stride 2": ((7, 6), 16, (1, 1), (2, 2), (1, 1), (0, 0, 0, 0)),
    "3x3": ((5, 7), 8, (3, 3), (1, 1), (1, 1), (1, 1, 1, 1)),
    "3x3 stride 2 of 12 channels": ((8, 9), 12, (3, 3), (2, 2), (1, 1), (1, 0, 0, 1)),
    "3x3 dilated": ((9, 8), 8, (3, 3), (1, 1), (2, 2), (2, 2, 2, 2)),
    "stem": ((11, 12), 3, (7, 7), (2, 2), (1, 1), (3, 3, 3, 3)),
}


@kinds
@instructions
@pytest.mark.parametrize("name", WINDOWS)
def test_convolutions_are_gathered_under_their_window(two_of_four, small, name, convolved):
    size, channels, kernel_size, strides, dilations, pads = WINDOWS[name]
    if two_of_four and channels % 4:
        pytest.skip("2:4 needs channels in fours")
    rows, images, rng = 24, 2, np.random.default_rng(2)
    pixel = -(-channels // 8) * 8
    out = tuple(
        (n + pads[a] + pads[a + 2] - d * (k - 1) - 1) // s + 1 for a, (n, k, s, d) in enumerate(zip(size, kernel_size, strides, dilations, strict=True))
    )
    window = Window(size, out, channels, size[0] * size[1] * pixel, size[1] * pixel, pixel, kernel_size, strides, dilations, pads[:2])
    matrix = weights(rows, window.taps * channels, two_of_four, np.float16).reshape(rows, window.taps, channels)
    padded = np.pad(matrix, ((0, 0), (0, 0), (0, pixel - channels))).reshape(rows, -1)
    x = np.full((images, *size, pixel), np.nan, np.float16)
    x[..., :channels] = rng.standard_normal((images, *size, channels))
    stride = -(-window.columns // 64) * 32 if two_of_four else window.columns
    kernel = MmaProduct(rows, images * out[0] * out[1], window, stride, rows, small, "float16", two_of_four)
    expected = convolved(x[..., :channels].transpose(0, 3, 1, 2), matrix, kernel_size, strides, dilations, pads)
    check(run(kernel, padded, x), expected.transpose(0, 2, 3, 1).reshape(-1, rows), "float16")


@pytest.fixture(scope="module")
def convolved():
    """x [n, c, h, w], weights [rows, taps, c] -> ONNX Runtime's convolution."""
    import onnx_ir as ir
    from onnx import helper, numpy_helper

    from spcompile.ir.session import run as reference

    def convolved(x, matrix, kernel, strides, dilations, pads):
        weight = matrix.transpose(0, 2, 1).reshape(len(matrix), -1, *kernel).astype(np.float32)
        node = helper.make_node("Conv", ["x", "w"], ["y"], strides=strides, dilations=dilations, pads=pads)
        info = helper.make_tensor_value_info
        graph = helper.make_graph([node], "g", [info("x", 1, x.shape)], [info("y", 1, None)], [numpy_helper.from_array(weight, "w")])
        model = ir.from_proto(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8))
        return reference(model, {"x": x.astype(np.float32)})["y"].astype(np.float64)

    return convolved


@instructions
def test_a_batch_of_products(small):
    """As attention asks for: both sides activations, rows of one that end before their stride."""
    batch, rows, positions, columns, rng = 3, 10, 9, 12, np.random.default_rng(3)
    left, right = (np.full((batch, count, 16), np.nan, np.float16) for count in (positions, rows))
    left[..., :columns], right[..., :columns] = rng.standard_normal((batch, positions, columns)), rng.standard_normal((batch, rows, columns))
    kernel = MmaProduct(
        rows, positions, Window.linear(positions, columns, 16), 16, rows, small, "float16", batch=batch,
        batch_strides=(rows * 16, positions * 16, positions * rows), weight_columns=columns,
    )  # fmt: skip
    expected = np.einsum("bpk,bmk->bpm", left[..., :columns].astype(np.float64), right[..., :columns].astype(np.float64))
    check(run(kernel, right, left).reshape(batch, positions, rows), expected, "float16")


@instructions
@pytest.mark.parametrize("width", [16, 32, 64])
@pytest.mark.parametrize(("rows", "positions", "columns"), [(150, 33, 200), (64, 8, 64), (40, 40, 520)])
def test_blocks_of_columns(small, width, rows, positions, columns):
    """Tiles that keep different numbers of blocks, among them none, rows in an order of their own, bias and residual in the caller's."""
    rng = np.random.default_rng(4)
    kept = np.kron(rng.random((-(-rows // 16), -(-columns // 16))) < 0.15, np.ones((16, 16), bool))[:rows, :columns]
    matrix = np.where(kept, rng.standard_normal((rows, columns)), 0).astype(np.float16)
    x, bias, residual = rng.standard_normal((positions, columns)).astype(np.float16), rng.standard_normal(rows), rng.standard_normal((positions, rows))
    packed = pack_blocks(matrix, small.rows, width)
    kernel = MmaProduct(
        rows, positions, Window.linear(positions, columns, columns), 0, rows, small, "float16", block_width=width, epilogue=("add", *BIAS[1:], operand(2)),
        operands=(Operand(1, 0), Operand(1, rows)), operand_dtypes=("float32", "float32"),
    )  # fmt: skip
    y = np.full(positions * rows, np.nan, np.float16)
    lists = (packed.starts, packed.blocks.ravel(), packed.order)
    launch(kernel.emit(1), packed.values.ravel(), *lists, x.ravel(), y, bias.astype(np.float32), residual.ravel().astype(np.float32))
    check(y.reshape(positions, rows), x.astype(np.float64) @ matrix.astype(np.float64).T + bias + residual, "float16")


@pytest.mark.parametrize("chunks", [4, 8])
def test_eight_rows_meet_all_banks(chunks):
    """ldmatrix reads one chunk of 16 bytes of eight rows at once: 32 banks of 4 bytes, each once."""
    for first in range(0, 32, 8):
        for chunk in range(chunks):
            words = swizzled(np.arange(first, first + 8), chunk, chunks)
            assert len({(int(word) + part) % 32 for word in words for part in range(4)}) == 32


@pytest.mark.parametrize("chunks", [4, 8])
def test_no_two_chunks_share_a_place(chunks):
    rows, chunk = np.divmod(np.arange(64 * chunks), chunks)
    assert sorted(swizzled(rows, chunk, chunks)) == list(range(0, 64 * chunks * 4, 4))


@pytest.mark.parametrize(
    ("small", "left_out", "complaint"),
    [
        (SMALL, "cta_sync", "no barrier between another warp's"),
        (SMALL, "cp_async_wait", "a copy is read before it was waited for"),
        (SMALL_HOPPER, "cta_sync", "without a fence between the proxies"),  # a fence counts from the next barrier on
        (SMALL_HOPPER, "cp_async_wait", "without a fence between the proxies"),
        (SMALL_HOPPER, "fence_proxy", "without a fence between the proxies"),
        (SMALL_HOPPER, "wgmma_fence", "registers are taken before wgmma.fence"),
        (SMALL_HOPPER, "wgmma_wait", "a write under an instruction that was not waited for"),
    ],
)
def test_a_missing_wait_is_seen(monkeypatch, small, left_out, complaint):
    """The same kernel without its barriers, or without its waits for copies, or without what wgmma asks for."""
    kernel = MmaProduct(64, 32, Window.linear(32, 512, 512), 512, 64, small, "float16")
    matrix, x = weights(64, 512, False, np.float16), np.ones((32, 512), np.float16)
    function = kernel.emit(1)
    nothing = simulator._Block.Evaluate

    def skipping(block, statement, mask):
        if left_out not in statement.value.op.name:
            nothing(block, statement, mask)

    monkeypatch.setattr(simulator._Block, "Evaluate", skipping)
    with pytest.raises(AssertionError, match=complaint):
        launch(function, matrix.ravel(), x.ravel(), np.full(32 * 64, np.nan, np.float16))


def test_names_tell_kernels_apart():
    kernel = MmaProduct(64, 32, Window.linear(32, 128, 128), 128, 64, SMALL, "float16")
    others = [dataclasses.replace(kernel, **change) for change in ({"rows": 65}, {"dtype": "bfloat16"}, {"tile": TILES[0]}, {"epilogue": ("relu", operand(0))})]
    assert len({kernel.name, *(other.name for other in others)}) == 5
    assert dataclasses.replace(kernel).name == kernel.name
