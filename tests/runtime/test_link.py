"""The linker: both processors, loaded and called; every refusal."""

import platform
import struct
from functools import cache

import numpy as np
import pytest

from spcompile.errors import ToolError
from spcompile.runtime import link

X86, ARM = "x86_64-linux-gnu", "aarch64-linux-gnu"
CORES = {X86: "x86-64-v3", ARM: "cortex-a72"}
MACHINES = {X86: 62, ARM: 183}  # e_machine of the ELF specification
SHARED_OBJECT = 3  # e_type ET_DYN


@cache
def exponential(triple: str):
    """y = exp(x): a function of the C library is left open."""
    import tvm
    from tvm.script import tirx as T

    @T.prim_func
    def exponential(x: T.Buffer((24,), "float32"), y: T.Buffer((24,), "float32")):
        for i in T.serial(24):
            y[i] = T.exp(x[i])

    return tvm.compile(tvm.IRModule({"exponential": exponential}), target=tvm.target.Target({"kind": "llvm", "mtriple": triple, "mcpu": CORES[triple]}))


def linked(triple: str, folder):
    path = folder / "exponential.so"
    exponential(triple).export_library(str(path), fcompile=link.shared_library, triple=triple)
    return path


def check_exponential(module, device):
    import tvm

    x = np.linspace(-3, 3, 24, dtype="float32")
    y = tvm.runtime.tensor(np.zeros_like(x), device)
    module["exponential"](tvm.runtime.tensor(x, device), y)
    np.testing.assert_allclose(y.numpy(), np.exp(x), rtol=1e-6)


@pytest.mark.parametrize("triple", CORES)
def test_library_is_for_its_processor(triple, tmp_path):
    head = linked(triple, tmp_path).read_bytes()[:20]
    assert head[:4] == b"\x7fELF"
    assert struct.unpack_from("<HH", head, 16) == (SHARED_OBJECT, MACHINES[triple])


@pytest.mark.skipif(platform.machine() != "x86_64", reason="this machine is no x86-64")
def test_x86_library_runs_here(tmp_path):
    import tvm

    check_exponential(tvm.runtime.load_module(str(linked(X86, tmp_path))), tvm.cpu())


@pytest.mark.needs_emulator
def test_arm_library_runs_in_the_emulator(tmp_path, aarch64):
    path = linked(ARM, tmp_path)
    aarch64.upload(bytearray(path.read_bytes()), path.name)  # given a path, TVM leaves the file open
    check_exponential(aarch64.load_module(path.name), aarch64.cpu())


def test_same_objects_give_the_same_bytes(tmp_path):
    first, second = tmp_path / "first.so", tmp_path / "second.so"
    exponential(X86).mod.write_to_file(str(tmp_path / "exponential.o"))
    for path in (first, second):
        link.shared_library(path, [tmp_path / "exponential.o"], X86)
    assert first.read_bytes() == second.read_bytes()


def test_unknown_processor_is_named(tmp_path):
    with pytest.raises(ToolError, match=r"processor 'sparc'.*known: x86_64, aarch64"):
        link.shared_library(tmp_path / "out.so", [], "sparc-linux-gnu")


def test_object_for_another_processor_is_refused(tmp_path):
    exponential(X86).mod.write_to_file(str(tmp_path / "exponential.o"))
    with pytest.raises(ToolError, match=r"linking .*out\.so for aarch64-linux-gnu failed: .*exponential\.o"):
        link.shared_library(tmp_path / "out.so", [tmp_path / "exponential.o"], ARM)
    assert not (tmp_path / "out.so").exists()


def test_missing_linker_says_how_to_get_it(tmp_path, monkeypatch):
    assert link.available()
    monkeypatch.setattr(link, "find_spec", lambda name: None)
    with pytest.raises(ToolError, match="pip install ziglang"):
        link.shared_library(tmp_path / "out.so", [], X86)
