"""Windows over one channel: depthwise convolution and pooling."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spcompile.kernels.cpu.window import Window
from spcompile.kernels.expression import ACCUMULATOR, operand
from spcompile.kernels.operand import Operand
from tests.kernels.cpu.test_offset_spmm import moved

PITCH, HALO = 9, 12  # elements between rows of an image; unreadable elements before and behind each channel
TAPS = {"one": (0,), "3x3": tuple(dy * PITCH + dx for dy in (-1, 0, 1) for dx in (-1, 0, 1)), "1x5": (-2, -1, 0, 1, 2)}
CASES = [  # reduction, taps, channels of y, multiplier, positions, vectors, lanes
    ("dot", "3x3", 5, 1, 63, 2, 8),
    ("dot", "1x5", 6, 3, 17, 1, 8),
    ("dot", "one", 3, 1, 1, 1, 1),
    ("max", "3x3", 4, 1, 31, 3, 8),
    ("max", "one", 2, 1, 7, 1, 4),
    ("add", "3x3", 3, 1, 33, 4, 8),
    ("add", "1x5", 1, 1, 16, 2, 8),
    ("dot", "3x3", 4, 2, 131, 4, 16),
    ("max", "1x5", 3, 1, 70, 2, 16),
]


def case(reduction, taps, rows, multiplier, positions, vectors, lanes, rng, epilogue=ACCUMULATOR, operands=(), tensors=()):
    channels, stride = rows // multiplier, positions + 2 * HALO
    x = rng.standard_normal((channels, stride)).astype(np.float32)
    reached = np.zeros(stride, bool)
    for tap in TAPS[taps]:
        reached[HALO + tap : HALO + tap + positions] = True
    x[:, ~reached] = np.nan
    value = rng.standard_normal((rows, len(TAPS[taps]))).astype(np.float32)
    y = np.full((rows, positions + 3), np.nan, np.float32)
    kernel = Window(reduction, rows, positions, TAPS[taps], stride, positions + 3, vectors, lanes, multiplier, epilogue, operands)
    shifted = np.stack([x[:, HALO + tap : HALO + tap + positions] for tap in TAPS[taps]], axis=1).astype(np.float64).repeat(multiplier, axis=0)
    expected = {"dot": lambda: (shifted * value[:, :, None]).sum(1), "max": lambda: shifted.max(1), "add": lambda: shifted.sum(1)}[reduction]()
    return (replace(kernel, picked=kernel.can_pick), [(x, HALO), *([value] if reduction == "dot" else []), y, *tensors]), expected


def check(y, expected) -> None:
    y = y.reshape(len(expected), -1)
    np.testing.assert_allclose(y[:, :-3], expected, rtol=1e-5, atol=3e-6)
    assert np.isnan(y[:, -3:]).all()


@pytest.mark.parametrize("threads", [1, 2])
def test_windows(call_kernels, target, threads):
    rng = np.random.default_rng(threads)
    cases = [case(*shape, rng) for shape in CASES]
    for (call, expected), arrays in zip(cases, call_kernels([call for call, _ in cases], target, threads), strict=True):
        check(arrays[2 if call[0].reduction == "dot" else 1], expected)


BY_LINES = [  # reduction, kernel, step down, step across, outputs (height, width), channels of y, multiplier, vectors, lanes, lines together
    ("dot", (3, 3), 2, 2, (4, 20), 5, 1, 2, 8, 1),
    ("dot", (3, 3), 2, 2, (3, 7), 6, 3, 1, 8, 2),
    ("dot", (5, 5), 2, 2, (2, 14), 2, 1, 1, 16, 2),
    ("dot", (3, 3), 1, 1, (7, 28), 3, 1, 1, 8, 4),
    ("dot", (3, 3), 1, 1, (9, 43), 3, 1, 2, 16, 2),
    ("dot", (5, 5), 1, 1, (6, 14), 4, 2, 1, 16, 2),
    ("dot", (5, 5), 1, 1, (5, 12), 4, 2, 1, 4, 2),
    ("max", (3, 3), 2, 2, (5, 9), 3, 1, 1, 8, 4),
    ("add", (2, 3), 1, 3, (3, 11), 2, 1, 2, 4, 3),
    ("max", (2, 2), 3, 4, (2, 5), 2, 1, 1, 4, 1),
    ("add", (2, 1), 2, 1, (3, 16), 2, 1, 2, 8, 1),
    ("max", (3, 3), 2, 2, (4, 1), 2, 1, 1, 1, 2),
]


def by_lines(reduction, kernel, down, across, out, rows, multiplier, vectors, lanes, together, rng):
    """A kernel, its arrays and what it must give. Behind each line of x lies NaN, and so do elements behind each line of y, which may be written."""
    (height, width), channels = out, rows // multiplier
    lines, columns = (height - 1) * down + kernel[0], (width - 1) * across + kernel[1]
    pitch, y_pitch = columns + 5, width + 3
    x = np.full((channels, lines * pitch + across * lanes), np.nan, np.float32)
    image = x[:, : lines * pitch].reshape(channels, lines, pitch)
    image[:, :, :columns] = rng.standard_normal((channels, lines, columns))
    taps = tuple(ky * pitch + kx for ky in range(kernel[0]) for kx in range(kernel[1]))
    value = rng.standard_normal((rows, len(taps))).astype(np.float32)
    y = np.full((rows, height * y_pitch + lanes), np.nan, np.float32)
    steps = {"lines": height, "x_line": down * pitch, "y_line": y_pitch, "step": across, "together": together}
    window = Window(reduction, rows, width, taps, x.shape[1], y.shape[1], vectors, lanes, multiplier, **steps)
    seen = np.lib.stride_tricks.sliding_window_view(image, kernel, (1, 2))[:, ::down, ::across][:, :height, :width]
    seen = seen.reshape(channels, height, width, len(taps)).astype(np.float64).repeat(multiplier, axis=0)
    expected = {"dot": lambda: (seen * value[:, None, None]).sum(-1), "max": lambda: seen.max(-1), "add": lambda: seen.sum(-1)}[reduction]()
    return (replace(window, picked=window.can_pick), [x, *([value] if reduction == "dot" else []), y]), expected


@pytest.mark.parametrize("threads", [1, 2])
def test_windows_line_by_line(call_kernels, target, threads):
    rng = np.random.default_rng(threads)
    cases = [by_lines(*shape, rng) for shape in BY_LINES]
    for (call, expected), arrays in zip(cases, call_kernels([call for call, _ in cases], target, threads), strict=True):
        (rows, height, width), window = expected.shape, call[0]
        y = arrays[-1].reshape(rows, -1)[:, : height * window.y_line].reshape(rows, height, -1)
        np.testing.assert_allclose(y[:, :, :width], expected, rtol=1e-5, atol=3e-6)


def test_epilogue_keeps_the_border_zero(call_kernels, target):
    """Bias, residual, relu, and a mask under which the residual is NaN."""
    rng = np.random.default_rng(0)
    bias, mask = rng.standard_normal(4).astype(np.float32), (np.arange(21) % PITCH < 6).astype(np.float32)
    residual = np.where(mask, rng.standard_normal((4, 21)), np.nan).astype(np.float32)
    total = ("add", ("add", operand(0), operand(1)), operand(2))
    epilogue = ("where", operand(3), ("relu", total), ("const", 0.0))
    operands = (Operand(1, 0), Operand(21, 1), Operand(0, 1))
    call, product = case("dot", "3x3", 4, 1, 21, 1, 8, rng, epilogue, operands, (bias, residual, mask))
    ((_, _, y, _, _, _),) = call_kernels([call], target)
    check(y, np.where(mask == 0, 0, np.maximum(product + bias[:, None] + residual, 0)))


def test_what_cannot_be():
    with pytest.raises(AssertionError):
        Window("min", 1, 16, (0,), 16, 16, 1, 8)
    with pytest.raises(AssertionError):
        Window("add", 1, 7, (0,), 16, 16, 1, 8)
    with pytest.raises(AssertionError):
        Window("add", 1, 7, (0,), 16, 16, 2, 4, lines=2, x_line=8, y_line=8)
    with pytest.raises(AssertionError):
        Window("add", 1, 8, (0,), 16, 16, 1, 8, lines=2, x_line=8, y_line=8, together=3)


def counted(taps, vectors=2, lanes=16, rows=1):
    return Window("dot", rows, vectors * lanes, taps, 64, 64, vectors, lanes).work()


def test_only_loads_that_begin_inside_a_cache_line_straddle_two():
    assert counted((-16, 0, 16)).crossing == 0
    assert counted((-1, 0, 1), vectors=1).crossing == 2
    assert counted((0, 8), vectors=1, lanes=8).crossing == 0, "half a line each"


def test_registers_of_a_tile_share_what_their_taps_reach_again():
    assert counted((0, 16), vectors=2).loads == 3, "0, 16 and 32"
    assert counted((0, 1), vectors=2).loads == 4


THREE = Window("dot", 1, 64, (-1, 0, 1), 64, 64, 4, 16)


def test_registers_that_would_straddle_lines_are_picked_from_two_that_do_not():
    beside = replace(THREE, picked=True).work()
    assert THREE.work().loads == THREE.work().crossing + 4 == 12
    assert (beside.loads, beside.crossing, beside.arithmetic) == (4 + 2, 2, 2 * 3), "-1 begins before and 49 ends behind what is read as whole lines"
    assert not replace(THREE, lanes=8).can_pick, "half a line each"
    assert not replace(THREE, taps=tuple(range(25))).can_pick, "no registers left"
    near = Window(
        "dot", 1, 14, tuple(16 * dy + dx for dy in range(3) for dx in range(3)), 256, 256, 1, 16, lines=14, x_line=16, y_line=16, together=2, picked=True
    ).work()
    assert (near.loads, near.crossing, near.arithmetic) == (7 * (4 + 2), 7 * 2, 7 * 2 * 3), "lines so short that one ends in the register where the next begins"


@given(st.lists(st.integers(0, 300), min_size=2, max_size=16, unique=True), st.integers(1, 4), st.integers(1, 4), st.integers(1, 80))
def test_what_is_picked_from_lies_within_what_is_read(taps, vectors, together, x_line):
    window = Window("dot", 2, 64, tuple(taps), 1024, 1024, vectors, 16, lines=4, x_line=x_line, y_line=64, together=together, picked=True)
    reaches = window._reaches()
    wanted = {element for reach in reaches for element in range(reach, reach + 16)}
    for reach in reaches:
        begins, phase = window.place(reach)
        loaded = [begin + lane for begin in begins for lane in range(16)]
        assert loaded[phase : phase + 16] == list(range(reach, reach + 16))
        assert min(reaches) <= begins[0] and begins[-1] <= max(reaches)
        assert {begin // 16 for begin in begins} <= {element // 16 for element in wanted}, "no other line is touched"


def test_taps_side_by_side_are_picked_out_of_the_same_registers():
    pair = Window("dot", 1, 16, (0, 1), 64, 64, 1, 16, lines=2, x_line=32, y_line=16, step=2).work()
    three = Window("dot", 1, 16, (0, 1, 2), 64, 64, 1, 16, lines=2, x_line=32, y_line=16, step=2).work()
    assert (pair.loads, three.loads) == (2 * 2, 2 * 4)
    assert pair.arithmetic == 2 * 2, "a pick for each tap"


def test_lines_summed_up_together_share_what_their_taps_reach():
    taps = tuple(dy * 20 + dx for dy in range(3) for dx in range(3))
    alone, four = (Window("dot", 1, 16, taps, 640, 640, 1, 16, lines=8, x_line=20, y_line=20, together=lines).work() for lines in (1, 4))
    assert (alone.loads, four.loads) == (8 * 9, 2 * 3 * (4 + 2))
    assert (alone.fma, alone.stores) == (four.fma, four.stores) == (8 * 9, 8)


def test_weights_that_registers_hold_are_loaded_once_a_row():
    few, many = tuple(range(9)), tuple(range(25))
    assert counted(few, vectors=4, rows=3).broadcasts == 3 * 9
    assert counted(many, vectors=4, rows=3).broadcasts == 3 * 4 * 25


def test_a_mask_is_one_plane_and_a_residual_one_for_each_channel():
    mask, residual = (replace(THREE, rows=64, operands=(o,)).work() for o in (Operand(0, 1), Operand(64, 1)))
    alone = replace(THREE, rows=64).work()
    assert mask.loads == residual.loads == alone.loads + alone.stores
    assert moved(mask) == moved(alone)
    assert moved(residual) == moved(alone) + 64 * THREE.positions * 4
