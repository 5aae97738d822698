"""Kernels are compiled once."""

import os
from pathlib import Path

import pytest

from spcompile.runtime import build as module
from spcompile.runtime.build import build_library
from spcompile.runtime.object_store import store_folder, trim
from spcompile.targets import load_target


@pytest.fixture
def compiled(monkeypatch, tmp_path):
    """Names of the functions that were really compiled, from an empty store on."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    names, original = [], module.compile_module
    monkeypatch.setattr(
        module, "compile_module", lambda functions, target: names.extend(v.name_hint for v in functions.get_global_vars()) or original(functions, target)
    )
    return names


def kernels(program) -> set[str]:
    return {kernel.name for kernel in program.kernels}


def test_what_was_compiled_is_linked_again(network, tmp_path, compiled):
    build_library(network.program, network.target, 1, tmp_path / "first.so")
    assert set(compiled) == kernels(network.program) | {module.ENTRY}
    compiled.clear()
    build_library(network.program, network.target, 1, tmp_path / "second.so")
    assert compiled == [module.ENTRY]
    assert (tmp_path / "first.so").read_bytes() == (tmp_path / "second.so").read_bytes() == network.library.read_bytes()


@pytest.mark.parametrize(("device", "threads"), [("x86-avx2", 2), ("x86-avx512", 1)])
def test_other_code_is_compiled_anew(network, tmp_path, compiled, device, threads, monkeypatch):
    monkeypatch.setattr("spcompile.runtime.build.worth", lambda work, target, threads: threads)  # none of these kernels is long enough
    build_library(network.program, network.target, 1, tmp_path / "one.so")
    compiled.clear()
    build_library(network.program, load_target(device), threads, tmp_path / "other.so")
    assert set(compiled) == kernels(network.program) | {module.ENTRY}


def test_a_changed_emitter_is_not_served_old_code(network, tmp_path, compiled, monkeypatch):
    build_library(network.program, network.target, 1, tmp_path / "old.so")
    compiled.clear()
    monkeypatch.setattr("spcompile.runtime.object_store._sources", lambda: "changed")
    build_library(network.program, network.target, 1, tmp_path / "new.so")
    assert set(compiled) == kernels(network.program) | {module.ENTRY}


def test_a_store_that_cannot_be_written_is_done_without(network, tmp_path, compiled):
    (tmp_path / "cache").write_text("a file where the folder should be")
    build_library(network.program, network.target, 1, tmp_path / "built.so")
    assert (tmp_path / "built.so").read_bytes() == network.library.read_bytes()


def test_what_was_not_used_for_longest_goes_first(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    trim()  # no store yet
    store_folder().mkdir(parents=True)
    for age, name in enumerate(["new", "used", "old", "oldest"]):
        (store_folder() / f"{name}.o").write_bytes(bytes(100))
        os.utime(store_folder() / f"{name}.o", (1e9 - age, 1e9 - age))
    trim(limit_bytes=250)
    assert {path.stem for path in store_folder().iterdir()} == {"new", "used"}


def test_files_that_another_compilation_removes_meanwhile_do_no_harm(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    store_folder().mkdir(parents=True)
    left = store_folder() / "left.o"
    left.write_bytes(bytes(100))
    monkeypatch.setattr(Path, "iterdir", lambda folder: [left, folder / "gone.o"])
    trim(limit_bytes=0)
    assert left.exists(), "the other one trims already"
