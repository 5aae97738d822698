"""Elementwise arithmetic over strided views, and the sorting and merging of their axes."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.lib.stride_tricks import as_strided

from spcompile.kernels.cpu.elementwise import Elementwise
from spcompile.kernels.expression import constant, operand

SUM = ("add", operand(0), operand(1))


def strides(array: np.ndarray) -> tuple[int, ...]:
    """In elements."""
    return tuple(stride // array.itemsize for stride in array.strides)


@st.composite
def views(draw):
    """A shape, the order its axes lie in memory, and for each of two inputs an order and the axes it repeats along."""
    shape = tuple(draw(st.lists(st.integers(1, 4), max_size=5)))
    order = st.permutations(range(len(shape)))
    return shape, [draw(order) for _ in range(3)], [draw(st.lists(st.booleans(), min_size=len(shape), max_size=len(shape))) for _ in range(2)]


def laid_out(shape, order, repeated=None) -> np.ndarray:
    """Consecutive numbers in an array whose axes lie in memory in `order`, repeated ones once."""
    extents = [1 if repeated and repeated[axis] else n for axis, n in enumerate(shape)]
    stored = np.arange(np.prod([extents[axis] for axis in order], dtype=int), dtype=np.float32).reshape([extents[axis] for axis in order])
    back = sorted(range(len(order)), key=lambda place: order[place])
    return np.broadcast_to(stored.transpose(back), shape)


@given(views(), st.sampled_from([4, 8, 16]))
def test_axes_are_sorted_and_merged_without_changing_what_is_computed(drawn, lanes):
    shape, orders, repeats = drawn
    y = laid_out(shape, orders[0]).copy(order="K")
    inputs = [laid_out(shape, order, repeated) for order, repeated in zip(orders[1:], repeats, strict=True)]
    kernel = Elementwise.over(shape, strides(y), [strides(x) for x in inputs], SUM, lanes)
    found = np.full(y.size, np.nan, np.float32)
    total = sum(as_strided(x, kernel.shape, [4 * s for s in own], writeable=False) for x, own in zip(inputs, kernel.x_strides, strict=True))
    as_strided(found, kernel.shape, [4 * s for s in kernel.y_strides])[...] = total
    np.testing.assert_array_equal(as_strided(found, shape, y.strides), inputs[0] + inputs[1])
    assert 1 not in kernel.shape and list(kernel.y_strides) == sorted(kernel.y_strides, reverse=True)


@given(st.lists(st.integers(1, 5), max_size=5))
def test_whole_tensors_are_one_axis(shape):
    size = int(np.prod(shape, dtype=int))
    row_major = strides(np.empty(shape, np.float32))
    kernel = Elementwise.over(tuple(shape), row_major, [row_major], operand(0), 8)
    assert (kernel.shape, kernel.y_strides) == (((size,), (1,)) if size > 1 else ((), ()))


def call(y, inputs, expression, lanes=8):
    """Inputs are arrays with strides of their own, whose memory begins at their first element."""
    kernel = Elementwise.over(y.shape, strides(y), [strides(np.broadcast_to(x, y.shape)) for x in inputs], expression, lanes, [x.dtype.name for x in inputs])
    memory = [as_strided(x, (1 + sum((n - 1) * s for n, s in zip(x.shape, strides(x), strict=True)),), (x.itemsize,)) for x in inputs]
    return kernel, [y if y.base is None else y.base, *(np.array(m) for m in memory)]


def test_awkward_sizes_and_layouts(call_kernels, target):
    rng = np.random.default_rng(0)
    normal = lambda *shape: rng.standard_normal(shape).astype(np.float32)  # noqa: E731
    cases = [(normal(n), normal(n)) for n in (1, 3, 7, 15, 16, 17, 31, 33, 64, 257)]
    cases += [
        (normal(3, 5, 7).transpose(2, 0, 1), normal(7, 3, 5)),
        (normal(4, 6), normal(6)),
        (normal(5, 33), normal(5, 1)),
        (normal(2, 3, 17), normal(1, 3, 1)),
        (normal(6, 9)[:, ::2], normal(12, 5)[::2]),
        (normal(4, 8), normal(8, 4).T),
    ]
    outputs = [np.full(np.broadcast_shapes(a.shape, b.shape), np.nan, np.float32) for a, b in cases]
    calls = [call(y, inputs, SUM, target.lanes_fp32) for y, inputs in zip(outputs, cases, strict=True)]
    for (a, b), y, (found, *_) in zip(cases, outputs, call_kernels(calls, target, threads=2), strict=True):
        np.testing.assert_array_equal(found.reshape(y.shape), a + b)


@pytest.mark.parametrize("expression", [SUM, ("sigmoid", SUM)], ids=["sum", "sigmoid"])
@pytest.mark.parametrize("stride", [2, 3, 4, 5, 28])
def test_strides_are_picked_from_registers_without_reading_beyond(call_kernels, target, stride, expression):
    """Behind the last number that counts lies nothing; behind the rows, numbers that would be wrong."""
    rng = np.random.default_rng(stride)
    cases = [
        (rng.standard_normal((3, (n - 1) * stride + 1)).astype(np.float32), rng.standard_normal((3, n)).astype(np.float32)) for n in (1, 2, 3, 4, 7, 16, 23, 56)
    ]
    calls = []
    for x, other in cases:
        kernel = Elementwise.over(other.shape, strides(other), [(x.shape[1], stride), strides(other)], expression, target.lanes_fp32)
        calls.append((kernel, [np.full_like(other, np.nan), x, other]))
    for (x, other), (found, *_) in zip(cases, call_kernels(calls, target, threads=2), strict=True):
        total = x[:, ::stride] + other
        expected = total if expression is SUM else 1 / (1 + np.exp(-total))
        np.testing.assert_allclose(found.reshape(other.shape), expected, rtol=0 if expression is SUM else 1e-6)


def test_nothing_beside_a_strided_result_is_written(call_kernels, target):
    x, y = np.arange(35, dtype=np.float32).reshape(5, 7), np.full((5, 12), np.nan, np.float32)
    kernel = Elementwise.over((5, 7), (12, 1), [(7, 1)], operand(0), target.lanes_fp32)
    transposed = Elementwise.over((7, 5), (1, 12), [(1, 7)], operand(0), target.lanes_fp32)
    assert kernel == transposed
    ((found, _),) = call_kernels([(kernel, [(y, 2), x])], target)
    found = found.reshape(5, 12)
    np.testing.assert_array_equal(found[:, 2:9], x)
    assert np.isnan(found[:, :2]).all() and np.isnan(found[:, 9:]).all()


def test_other_types_are_converted(call_kernels, target):
    inputs = [np.array([-3, 0, 1 << 40, 7, -1], np.int64), np.array([5, -1, 2, 0, 9], np.int32), np.array([True, False, True, True, False])]
    outputs = [np.full(5, np.nan, np.float32) for _ in inputs]
    calls = [call(y, [x], ("mul", operand(0), constant(0.5))) for x, y in zip(inputs, outputs, strict=True)]
    for x, (found, _) in zip(inputs, call_kernels(calls, target), strict=True):
        np.testing.assert_array_equal(found, x.astype(np.float32) / 2)


@settings(max_examples=20)
@given(st.integers(1, 200), st.sampled_from([4, 8, 16]))
def test_lanes_never_exceed_the_innermost_axis(extent, lanes):
    kernel = Elementwise.over((3, extent), (2 * extent, 1), [(extent, 1)], operand(0), lanes)
    assert 1 <= kernel.register_lanes <= min(lanes, max(extent, 1))
    for stride in (2, 3, 4):
        assert Elementwise.over((3, extent), (2 * extent, 1), [(5 * extent, stride)], operand(0), lanes).register_lanes == kernel.register_lanes
    assert Elementwise.over((3, extent), (2 * extent, 1), [(1, 5)], operand(0), lanes).register_lanes == 1 or extent == 1


def test_copies_over_small_strides_are_counted_as_vectors_and_shuffles():
    """A row of 28 at a stride of 2: two registers of 16, each picked from two; half of every line that is read goes unused."""
    copy = Elementwise((3, 28), (29, 1), ((114, 2),), operand(0), 16, ("float32",)).work()
    assert (copy.stores, copy.loads, copy.arithmetic) == (6, 12, 6)
    assert copy.streams[0].bytes_moved == 2 * copy.streams[1].bytes_moved == 2 * 3 * 28 * 4


def test_what_is_computed_with_at_length_is_computed_with_in_registers():
    """Registers of 64 numbers that lie 28 apart: filled one by one, computed with together; sums alone gain nothing by that."""
    one_by_one, together = (Elementwise((64,), (1,), ((28,),), expression, 16, ("float32",)).work() for expression in (operand(0), ("sigmoid", operand(0))))
    assert (one_by_one.lanes, one_by_one.loads, one_by_one.arithmetic) == (1, 64, 0)
    assert (together.lanes, together.loads, together.arithmetic) == (16, 64, 4 * (17 + 15))


def test_a_transposition_reads_its_lines_again_and_again_out_of_what_the_operand_spans():
    moved, spanned = 40 * 100 * 16 * 4, 40 * 100 * 4
    turned = Elementwise((40, 100), (100, 1), ((1, 40),), operand(0), 16, ("float32",)).work().streams[0]
    assert (turned.bytes_moved, turned.footprint_bytes) == (moved, spanned)


def test_rows_that_lie_together_are_counted_in_the_registers_they_are_emitted_in():
    fill, sums = Elementwise((64, 24), (48, 1), (), constant(0.0), 16, ()), Elementwise((5, 7), (8, 1), ((8, 1), (0, 1)), SUM, 16, ("float32",) * 2)
    assert (fill.work().lanes, fill.work().stores, fill.work().loads) == (16, 128, 0)
    assert (sums.work().lanes, sums.work().stores, sums.work().loads) == (4, 10, 20)


def test_what_cannot_be_made_vectors_of_is_counted_number_by_number():
    for copy in (
        Elementwise((3, 28), (28, 1), ((1, 3),), operand(0), 16, ("int64",)),
        Elementwise((3, 28), (28, 1), ((1, 30),), operand(0), 16, ("float32",)),
        Elementwise((3, 28), (1, 3), ((28, 1),), operand(0), 16, ("float32",)),
    ):
        assert (copy.work().lanes, copy.work().stores) == (1, 84)
