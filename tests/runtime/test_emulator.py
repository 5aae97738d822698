"""The emulated aarch64 machine: code runs, instructions a core lacks are refused, nothing stays behind."""

from pathlib import Path

import numpy as np
import pytest

from spcompile.errors import ToolError
from spcompile.runtime import emulator, emulator_setup, link

TRIPLE = "aarch64-linux-gnu"


def squares(folder: Path, core: str, dtype: str = "float32", threads: bool = False) -> Path:
    """A library with y = x * x over [64, 8]."""
    import tvm
    from tvm.script.ir_builder import IRBuilder
    from tvm.tirx.script.builder import ir as T

    with IRBuilder() as builder, T.prim_func(s_tir=True):
        T.func_name("square")
        x, y = T.arg("x", T.buffer((64, 8), dtype)), T.arg("y", T.buffer((64, 8), dtype))
        with (T.parallel if threads else T.serial)(0, 64) as i, T.serial(0, 8) as j:
            T.buffer_store(y, x[i, j] * x[i, j], [i, j])
    built = tvm.compile(tvm.IRModule({"square": builder.get()}), target=tvm.target.Target({"kind": "llvm", "mtriple": TRIPLE, "mcpu": core}))
    built.export_library(str(folder / "square.so"), fcompile=link.shared_library, triple=TRIPLE)
    return folder / "square.so"


def check_squares(remote, library: Path, dtype: str = "float32"):
    import tvm

    remote.upload(bytearray(library.read_bytes()), library.name)  # given a path, TVM leaves the file open
    x = np.arange(512, dtype=dtype).reshape(64, 8) / np.dtype(dtype).type(16)
    y = tvm.runtime.tensor(np.zeros_like(x), remote.cpu())
    remote.load_module(library.name)["square"](tvm.runtime.tensor(x, remote.cpu()), y)
    np.testing.assert_array_equal(y.numpy(), x * x)


@pytest.mark.needs_emulator
@pytest.mark.parametrize("threads", [False, True], ids=["one thread", "threads"])
def test_code_runs(tmp_path, aarch64, threads):
    check_squares(aarch64, squares(tmp_path, "cortex-a72", threads=threads))


@pytest.mark.needs_emulator
def test_sessions_run_side_by_side(tmp_path):
    library = squares(tmp_path, "cortex-a53")
    with emulator.session("cortex-a53") as first, emulator.session() as second:
        check_squares(second, library)
        check_squares(first, library)


@pytest.mark.needs_emulator
def test_core_refuses_instructions_it_lacks(tmp_path):
    """Half-precision arithmetic came with ARMv8.2: the Cortex-A76 has it, the Cortex-A53 does not."""
    import tvm

    library = squares(tmp_path, "cortex-a76", dtype="float16")
    assert {"cortex-a53", "cortex-a76"} < set(emulator.cores())
    with emulator.session("cortex-a76") as remote:
        check_squares(remote, library, "float16")
    with emulator.session("cortex-a53") as remote, pytest.raises((RuntimeError, tvm.error.RPCError)):
        check_squares(remote, library, "float16")


@pytest.mark.needs_emulator
def test_core_that_qemu_lacks_is_emulated_as_any(tmp_path):
    assert emulator.stand_in("cortex-a53") == "cortex-a53"
    assert emulator.stand_in("cortex-of-tomorrow") == "max"
    with emulator.session("cortex-of-tomorrow") as remote:
        check_squares(remote, squares(tmp_path, "cortex-a76", dtype="float16"), "float16")


@pytest.mark.needs_emulator
def test_error_on_the_machine_is_reported(aarch64):
    with pytest.raises(RuntimeError, match=r"nothing\.so: cannot open shared object file"):
        aarch64.load_module("nothing.so")


@pytest.mark.needs_emulator
@pytest.mark.parametrize("error", [ZeroDivisionError, KeyboardInterrupt])
def test_server_ends_with_its_block(error, monkeypatch):
    start, started = emulator._start, []
    monkeypatch.setattr(emulator, "_start", lambda *arguments: started.append(start(*arguments)) or started[-1])

    def interrupted():
        with emulator.session():
            assert started[0].poll() is None
            raise error

    with pytest.raises(error):
        interrupted()
    assert started[0].poll() is not None


def test_absent_emulator_says_how_to_set_it_up(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert "spcompile.runtime.emulator_setup" in emulator.available().reason
    with pytest.raises(ToolError, match="not set up"), emulator.session():
        pass


def test_server_that_does_not_start_is_quoted(tmp_path, monkeypatch):
    for name in ("qemu", "serve"):
        (tmp_path / name).write_text("#!/bin/sh\necho the disk is on fire\nexit 3\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setattr(emulator, "folder", lambda: tmp_path)
    with pytest.raises(ToolError, match="did not start: the disk is on fire"), emulator.session():
        pass


def test_setup_without_its_tools_leaves_nothing(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ToolError, match=r"needs dpkg.*Debian"):
        emulator_setup.set_up()
    assert list((tmp_path / "spcompile").iterdir()) == []


def test_failing_tool_is_quoted(tmp_path):
    failing = tmp_path / "fails"
    failing.write_text("#!/bin/sh\necho no such mirror >&2\nexit 100\n")
    failing.chmod(0o755)
    with pytest.raises(ToolError, match="fetching failed: no such mirror"):
        emulator_setup._run([str(failing)], "fetching")
