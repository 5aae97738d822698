"""Windows: taps, phase planes, borders and counts, against windows spelled out element by element."""

import numpy as np
from hypothesis import assume, given
from hypothesis import strategies as st

from spcompile.lowering.geometry import Window


@st.composite
def windows(draw):
    """Any window that fits its input at least once in each direction."""
    two = lambda low, high: st.tuples(st.integers(low, high), st.integers(low, high))  # noqa: E731
    kernel, strides, dilations, size = draw(two(1, 4)), draw(two(1, 3)), draw(two(1, 3)), draw(two(1, 9))
    pads = draw(st.tuples(*[st.integers(0, 3)] * 4))
    room = [size[a] + pads[a] + pads[a + 2] - dilations[a] * (kernel[a] - 1) - 1 for a in (0, 1)]
    assume(min(room) >= 0)
    return Window(kernel, strides, dilations, pads, size, tuple(space // stride + 1 for space, stride in zip(room, strides, strict=True)), draw(st.booleans()))


def elements(window: Window, padding: bool) -> np.ndarray:
    """At each output, how many elements of the (padded) input are under the window."""
    top, left, bottom, right = window.pads
    inside = np.pad(np.ones(window.in_size), ((top, bottom), (left, right)), constant_values=float(padding))
    found = np.zeros(window.out_size)
    for y, x in np.ndindex(*window.out_size):
        rows = y * window.strides[0] + np.arange(window.kernel[0]) * window.dilations[0]
        columns = x * window.strides[1] + np.arange(window.kernel[1]) * window.dilations[1]
        found[y, x] = inside[np.ix_(rows, columns)].sum()
    return found


@given(windows(), st.booleans())
def test_counts(window, padding):
    assert window.counts(padding) == elements(window, padding).ravel().tolist()


@given(windows())
def test_taps_read_the_right_element_of_the_right_plane(window):
    for index, tap in enumerate(window.taps):
        at = np.unravel_index(index, window.kernel)
        for axis, step in ((0, tap.dy), (1, tap.dx)):
            for out in (0, window.out_size[axis] - 1):
                wanted = out * window.strides[axis] + at[axis] * window.dilations[axis] - window.pads[axis]
                assert (out * window.steps[axis] + step) * window.phases[axis] + tap.plane[axis] == wanted
    assert set(window.planes) == {tap.plane for tap in window.taps}
    assert window.direct == (window.strided or window.strides == (1, 1))


@given(windows())
def test_borders_hold_every_tap(window):
    (height, width), (rows, columns) = window.plane_size, window.border
    last_y, last_x = ((count - 1) * step for count, step in zip(window.out_size, window.steps, strict=True))
    for tap in window.taps:
        assert -rows <= tap.dy and tap.dy + last_y < height + rows
        assert -columns <= tap.dx and tap.dx + last_x < width + columns
    touched = [tap for tap in window.taps if -tap.dy == rows or tap.dy + last_y + 1 - height == rows]
    assert rows == 0 or touched  # no wider than needed


def test_a_window_rounded_up_counts_nothing_beyond_the_padding():
    window = Window((2, 2), (2, 2), (1, 1), (0, 0, 1, 1), (4, 4), (3, 3))
    assert window.counts() == [4, 4, 0, 4, 4, 0, 0, 0, 0]
    assert window.counts(padding=True) == [4, 4, 2, 4, 4, 2, 2, 2, 1]
