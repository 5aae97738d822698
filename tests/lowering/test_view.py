"""Views are numpy's strided arrays."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.lib.stride_tricks import as_strided

from spcompile.lowering.view import View, ordered, row_major

BUFFER = np.arange(4096)


def seen(view: View) -> np.ndarray:
    return as_strided(BUFFER[view.offset :], view.shape, [8 * stride for stride in view.strides])


@st.composite
def views(draw):
    """A compact tensor after some transposes, slices and broadcasts."""
    shape = tuple(draw(st.lists(st.integers(1, 4), min_size=1, max_size=4)))
    view = View(0, draw(st.integers(0, 5)), shape, row_major(shape))
    for move in draw(st.lists(st.sampled_from(["transpose", "slice", "broadcast"]), max_size=3)):
        if move == "transpose":
            view = view.transpose(draw(st.permutations(range(len(view.shape)))))
        elif move == "slice":
            view = view.slice(*draw(windows(view.shape)))
        elif len(view.shape) < 5:
            view = view.broadcast((draw(st.integers(1, 3)), *view.shape))
    return view


@st.composite
def windows(draw, shape):
    axis = draw(st.integers(0, len(shape) - 1))
    kept = draw(st.slices(shape[axis]).map(lambda cut: range(*cut.indices(shape[axis]))).filter(len))
    return axis, kept.start, len(kept), kept.step


@st.composite
def shapes_of(draw, size):
    """A shape of so many elements."""
    shape = []
    while size > 1:
        extent = draw(st.sampled_from([n for n in range(2, size + 1) if size % n == 0]))
        shape += [extent] + [1] * draw(st.integers(0, 1))
        size //= extent
    return tuple(draw(st.permutations(shape)))


@given(views(), st.data())
def test_transpose(view, data):
    order = data.draw(st.permutations(range(len(view.shape))))
    np.testing.assert_array_equal(seen(view.transpose(order)), seen(view).transpose(order))


@given(views(), st.data())
def test_slice(view, data):
    axis, start, count, step = data.draw(windows(view.shape))
    index = [slice(None)] * axis + [[start + k * step for k in range(count)]]
    np.testing.assert_array_equal(seen(view.slice(axis, start, count, step)), seen(view)[tuple(index)])


@given(views(), st.lists(st.integers(1, 3), max_size=2))
def test_broadcast(view, front):
    shape = (*front, *(2 if n == 1 else n for n in view.shape))
    np.testing.assert_array_equal(seen(view.broadcast(shape)), np.broadcast_to(seen(view), shape))


@given(views(), st.data())
def test_reshape_is_right_or_says_that_it_needs_a_copy(view, data):
    shape = data.draw(shapes_of(int(np.prod(view.shape))))
    reshaped = view.reshape(shape)
    if reshaped is not None:
        np.testing.assert_array_equal(seen(reshaped), seen(view).reshape(shape))
        return
    shared = seen(view).view()
    with pytest.raises(AttributeError):  # numpy cannot do it without a copy either
        shared.shape = shape


@given(views())
def test_compact_tensors_reshape_to_anything(view):
    compact = View(0, 0, view.shape, row_major(view.shape))
    assert compact.reshape((int(np.prod(view.shape)),)) is not None


@given(views())
def test_ordered_strides_are_gapless_in_the_order_asked(view):
    strides = ordered(view.shape, view.strides)
    reached = sorted(int(np.dot(index, strides)) for index in np.ndindex(*view.shape))
    assert reached == list(range(len(reached)))
    pairs = [(a, b) for a in range(len(strides)) for b in range(len(strides)) if view.strides[a] > view.strides[b] and min(view.shape[a], view.shape[b]) > 1]
    assert all(strides[a] > strides[b] for a, b in pairs)


def test_what_does_not_fit_is_our_mistake():
    view = View(0, 0, (2, 3), (3, 1))
    for wrong in (lambda: view.reshape((5,)), lambda: view.broadcast((2, 4)), lambda: View(0, 0, (2,), (1, 1))):
        with pytest.raises(AssertionError):
            wrong()
