"""Reductions over axes of a strided view."""

import numpy as np
import pytest

from spcompile.kernels.cpu.reduce import Reduce
from spcompile.kernels.expression import ACCUMULATOR, constant

X = ACCUMULATOR
NUMPY = {"add": np.sum, "max": np.max, "min": np.min}
CASES = [  # shape, order of its axes in memory, reduced axes
    ((1,), (0,), {0}),
    ((7,), (0,), set()),
    ((33,), (0,), {0}),
    ((3, 17), (0, 1), {1}),
    ((3, 17), (0, 1), {0}),
    ((3, 17), (1, 0), {1}),
    ((16, 1, 5), (0, 1, 2), {0, 2}),
    ((2, 15, 4, 9), (0, 1, 2, 3), {2, 3}),
    ((2, 15, 4, 9), (0, 2, 3, 1), {2, 3}),
    ((2, 3, 4, 31), (0, 1, 2, 3), {1}),
    ((5, 64, 3), (2, 0, 1), {0, 2}),
    ((2, 3, 5), (0, 1, 2), {0, 1, 2}),
]


def case(reduction, shape, order, axes, lanes, rng, element=X, finish=X):
    """x lies in memory with its axes in `order`; y is row-major without the reduced ones."""
    stored = rng.standard_normal([shape[axis] for axis in order]).astype(np.float32)
    x = stored.transpose(sorted(range(len(order)), key=lambda place: order[place]))
    y = np.full([n for axis, n in enumerate(shape) if axis not in axes], np.nan, np.float32)
    x_strides, y_strides = ([s // 4 for s in array.strides] for array in (x, y))
    outer = [(shape[axis], x_strides[axis], y_strides.pop(0)) for axis in range(len(shape)) if axis not in axes]
    inner = [(shape[axis], x_strides[axis]) for axis in range(len(shape)) if axis in axes]
    return x, y, (Reduce.over(reduction, outer, inner, lanes, element, finish), [stored, y])


@pytest.mark.parametrize("threads", [1, 2])
def test_reductions(call_kernels, target, threads):
    rng = np.random.default_rng(0)
    kinds = [(reduction, shape) for index, shape in enumerate(CASES) for reduction in NUMPY if threads == 1 or index % 3 == 1]
    cases = [case(reduction, *shape, target.lanes_fp32, rng) for reduction, shape in kinds]
    for (x, y, _), (reduction, (_, _, axes)), (_, found) in zip(cases, kinds, call_kernels([call for *_, call in cases], target, threads), strict=True):
        np.testing.assert_allclose(found.reshape(y.shape), NUMPY[reduction](x.astype(np.float64), axis=tuple(axes)), rtol=1e-5, atol=2e-6)


def test_elements_and_result_pass_through_expressions(call_kernels, target):
    """The root of the mean square, along rows and along columns; a long sum stays exact to 1e-5."""
    rng = np.random.default_rng(0)
    finish = ("sqrt", ("mul", X, constant(1 / 50_000)))
    cases = [case("add", (50_000, 3), (0, 1), {0}, target.lanes_fp32, rng, ("square", X), finish)]
    cases += [case("add", (3, 50_000), (0, 1), {1}, target.lanes_fp32, rng, ("square", X), finish)]
    for (x, _, _), axis, (_, found) in zip(cases, (0, 1), call_kernels([call for *_, call in cases], target), strict=True):
        np.testing.assert_allclose(found, np.sqrt(np.mean(x.astype(np.float64) ** 2, axis=axis)), rtol=1e-5)


def test_axes_that_run_on_are_merged():
    kernel = Reduce.over("add", [(2, 60, 1)], [(3, 20), (1, 7), (4, 5), (5, 1)], 8)
    assert kernel.inner == ((60, 1),) and kernel.inner_lanes == 8 and kernel.outer_lanes == 1
    assert Reduce.over("add", [(20, 1, 1)], [(3, 20)], 8).outer_lanes == 8
