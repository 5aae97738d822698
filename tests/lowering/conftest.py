"""Small models through the whole code generator: prepared, lowered, compiled, run, compared with ONNX Runtime."""

from pathlib import Path

import numpy as np
import pytest

from spcompile.ir.session import run
from spcompile.lowering.lower import lower, lower_together
from spcompile.lowering.tuning_store import user_store
from spcompile.passes import prepare
from spcompile.runtime.build import build_library
from spcompile.runtime.executor import Executor
from spcompile.runtime.host import runs_here
from spcompile.runtime.verify import inputs_for
from spcompile.targets import load_target

WIDE, NARROW = "x86-avx512", "x86-avx2"


def widest() -> str:
    """The widest device whose code this machine runs."""
    device = load_target(WIDE)
    return WIDE if runs_here(device.triple, device.lanes_fp32) else NARROW


@pytest.fixture(scope="session")
def lowered():
    """lowered(model, target) -> the program of a model as a user gives it."""
    return lambda model, target=NARROW, threads=1: lower(prepare(model), load_target(target), threads).program


@pytest.fixture
def assert_compiles(tmp_path):
    """assert_compiles(model, target, relative): the compiled model gives what ONNX Runtime gives for the model as it stands; returns its program.

    Inputs that run one after the other run together, too.
    """

    def assert_compiles(model, target: str | None = None, relative: float = 1e-5, threads: int = 1, feeds=None):
        device, prepared = load_target(target or widest()), prepare(model)
        program = lower(prepared, device, threads).program
        check(model, program, device, relative, threads, feeds)
        together = lower_together(prepared, device, threads, user_store().pick(device, threads)).program
        if len(together.steps) < len(program.steps):
            check(model, together, device, relative, threads, feeds)
        return program

    def check(model, program, device, relative, threads, feeds):
        library = tmp_path / f"{len(list(Path(tmp_path).iterdir()))}.so"
        build_library(program, device, threads, library)
        executor = Executor.of_program(program, library, threads)
        for feed in feeds or inputs_for(program, None, 0)[:2]:
            expected, found = run(model, feed), executor.run(**feed)
            assert found.keys() == expected.keys()
            for name, array in expected.items():
                assert (found[name].shape, found[name].dtype) == (array.shape, array.dtype), name
                scale = max(np.abs(array).max(), np.finfo(np.float32).tiny)
                np.testing.assert_allclose(found[name] / scale, array / scale, rtol=0, atol=relative, err_msg=name)

    return assert_compiles
