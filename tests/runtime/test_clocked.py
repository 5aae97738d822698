"""Kernels called with a clock between them."""

import ctypes
import time

import numpy as np
import pytest

from spcompile.kernels.script import kernel_function
from spcompile.runtime.build import compiled_c_function
from spcompile.runtime.clocked import Clocked
from spcompile.runtime.host import runs_here
from spcompile.runtime.link import shared_library
from spcompile.targets import load_target


@pytest.fixture
def target():
    target = load_target("x86-avx2")
    if not (verdict := runs_here(target.triple, target.lanes_fp32)):
        pytest.skip(verdict.reason)
    return target


def library(target, path, summand: float):
    """`add`: into[0] = from[0] + summand, count[0] times over."""
    from tvm.tirx.script.builder import ir as T

    def body(into, source, count):
        with T.serial(0, count[0]):
            T.buffer_store(into, source[0] + into[0] + T.float32(summand), [0])

    function = kernel_function("add", {"into": "float32", "source": "float32", "count": "int32"}, body)
    path.with_suffix(".o").write_bytes(compiled_c_function(function, "add", target))
    shared_library(path, [path.with_suffix(".o")], target.triple)
    return ctypes.CDLL(str(path))


def test_calls_are_made_in_order_and_timed(target, tmp_path):
    loaded = library(target, tmp_path / "one.so", 1.0)
    numbers, counts = np.zeros(3, np.float32), np.array([1, 5_000_000], np.int32)
    at, count = numbers.ctypes.data, counts.ctypes.data
    clocked = Clocked(tmp_path / "one.so", [("add", [at + 4, at, count]), ("add", [at + 8, at + 4, count]), ("add", [at, at, count + 4])], target)
    begin = time.perf_counter()
    seconds = clocked.round()
    assert numbers[1] == 1 and numbers[2] == 2, "the second call sees what the first wrote"
    assert seconds.shape == (3,) and (seconds >= 0).all() and 0.5 * seconds.sum() < time.perf_counter() - begin
    assert seconds[2] > 100 * seconds[:2].max()
    assert loaded is not None


def test_each_calls_the_functions_of_its_own_library(target, tmp_path):
    """Also where another one that is loaded has functions of the same names, as two artifacts of one network have."""
    kept, found = [], []
    for name, summand in (("one", 1.0), ("other", 10.0)):
        kept.append(library(target, tmp_path / f"{name}.so", summand))
        numbers, count = np.zeros(2, np.float32), np.array([1], np.int32)
        Clocked(tmp_path / f"{name}.so", [("add", [numbers.ctypes.data, numbers.ctypes.data + 4, count.ctypes.data])], target).round()
        found.append(numbers[0])
    assert found == [1.0, 10.0]
