"""A program becomes one library with one entry."""

from dataclasses import replace

import numpy as np
import pytest

from spcompile.errors import ToolError
from spcompile.runtime import link
from spcompile.runtime.build import ENTRY, build_library
from spcompile.runtime.executor import Executor


def test_equal_programs_give_equal_libraries(network, tmp_path):
    build_library(network.program, network.target, 1, tmp_path / "again.so")
    assert (tmp_path / "again.so").read_bytes() == network.library.read_bytes()


def test_the_entry_checks_what_it_is_called_with(network, feed):
    """A workspace, an input or an output of another size ends in an error, not in foreign memory."""
    import tvm

    executor = Executor.of_program(network.program, network.library)
    tensors = [*executor._memory, *(tvm.runtime.tensor(array) for array in feed.values()), *executor._results]
    for index in range(len(tensors)):
        short = [tensor if at != index else tvm.runtime.tensor(np.zeros(3, tensor.dtype)) for at, tensor in enumerate(tensors)]
        with pytest.raises((ValueError, TypeError, RuntimeError, AssertionError)):
            executor._entry(*short)


def test_threads_give_the_same_numbers(network, tmp_path, feed):
    build_library(network.program, network.target, 2, tmp_path / "two.so")
    two = Executor.of_program(network.program, tmp_path / "two.so", threads=2).run(**feed)
    one = Executor.of_program(network.program, network.library).run(**feed)
    for name, array in one.items():
        np.testing.assert_array_equal(two[name], array)


def test_what_cannot_be_linked_leaves_no_library(network, tmp_path, monkeypatch):
    monkeypatch.setattr(link, "find_spec", lambda name: None)
    with pytest.raises(ToolError, match="ziglang"):
        build_library(network.program, network.target, 1, tmp_path / "out.so")
    assert list(tmp_path.iterdir()) == []


def test_a_program_without_steps_is_a_library_too(network, tmp_path):
    empty = replace(network.program, steps=(), outputs=())
    build_library(empty, network.target, 1, tmp_path / "empty.so")
    assert Executor.of_program(empty, tmp_path / "empty.so").run(*(np.zeros(t.shape, t.dtype) for t in empty.inputs)) == {}
    assert ENTRY == "spcompile_run"
