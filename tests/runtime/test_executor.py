"""Arrays in, arrays out; everything that does not fit is told."""

import numpy as np
import pytest

from spcompile.errors import DataError
from spcompile.ir.session import run
from spcompile.runtime.executor import Executor


@pytest.fixture(scope="module")
def executor(network):
    return Executor.of_program(network.program, network.library)


def test_inputs_by_place_and_by_name(network, executor, feed):
    expected = run(network.model, feed)
    for found in (executor.run(*feed.values()), executor.run(**feed), executor.run(feed["x"], r=feed["r"])):
        assert list(found) == ["y", "z"]
        for name, array in expected.items():
            np.testing.assert_allclose(found[name], array, rtol=1e-5, atol=1e-5)


def test_results_belong_to_the_caller(executor, feed):
    """A later run does not change them; inputs are not changed either; two executors of one library do not disturb each other."""
    before = {name: array.copy() for name, array in feed.items()}
    first = executor.run(**feed)
    kept = first["y"].copy()
    executor.run(**{name: array + 1 for name, array in feed.items()})
    np.testing.assert_array_equal(first["y"], kept)
    for name, array in feed.items():
        np.testing.assert_array_equal(array, before[name])


def test_executors_side_by_side(network, feed):
    one, other = (Executor.of_program(network.program, network.library) for _ in range(2))
    expected = one.run(**feed)
    other.run(**{name: -array for name, array in feed.items()})
    np.testing.assert_array_equal(one.run(**feed)["z"], expected["z"])


def test_arrays_of_any_strides(executor, feed):
    turned = {name: np.asfortranarray(array) for name, array in feed.items()}
    np.testing.assert_array_equal(executor.run(**turned)["y"], executor.run(**feed)["y"])


def test_bound_calls_run_on_their_own_inputs(executor, feed):
    call = executor.bind(feed)
    expected = executor.run(**feed)
    executor.run(**{name: 0 * array for name, array in feed.items()})
    call()
    np.testing.assert_array_equal(executor._results[0].numpy(), expected["y"])


def test_memory_that_no_kernel_wrote_is_not_a_number(network):
    executor = Executor.of_program(network.program, network.library)
    assert np.isnan(executor._memory[0].numpy()).all()


@pytest.mark.parametrize(
    ("places", "names", "message"),
    [
        ("xrx", "", "3 inputs given; the model takes 2: x, r"),
        ("x", "", "input r is missing; the model takes x, r"),
        ("", "", "input x, r is missing"),
        ("xr", "q", "unknown input q; the model takes x, r"),
        ("xr", "r", "input r is given twice"),
    ],
)
def test_wrong_inputs_are_told(executor, feed, places, names, message):
    known = {**feed, "q": feed["x"]}
    with pytest.raises(DataError, match=message):
        executor.run(*(known[name] for name in places), **{name: known[name] for name in names})


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros((1, 3, 8, 8), np.float32), r"input 'x' has shape \[1, 3, 8, 8\]; the compiled model takes \[2, 3, 8, 8\]"),
        (np.zeros((2, 192), np.float32), r"has shape \[2, 192\]"),
        (np.zeros((2, 3, 8, 8), np.float64), "input 'x' has type float64; the compiled model takes float32"),
        (np.zeros((2, 3, 8, 8), np.int64), "has type int64"),
        (0.5, r"has shape \[\]"),
    ],
)
def test_arrays_that_do_not_fit_are_told(executor, feed, array, message):
    with pytest.raises(DataError, match=message):
        executor.run(x=array, r=feed["r"])
