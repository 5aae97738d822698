"""What lies at a path is loaded, not what was loaded from there before."""

import shutil

import numpy as np
import pytest

from spcompile.lowering.lower import lower
from spcompile.passes import prepare
from spcompile.runtime.build import build_library
from spcompile.runtime.executor import Executor
from spcompile.runtime.library import load_library, new_name
from spcompile.targets import load_target


@pytest.fixture(scope="module")
def networks(build, tmp_path_factory):
    """Of the same inputs and outputs: [program, library] of each."""
    target, folder, found = load_target("x86-avx2"), tmp_path_factory.mktemp("networks"), []
    for name in ("Relu", "Neg"):
        program = lower(prepare(build(f"g (float[1,4] x) => (float[1,4] y) {{ y = {name}(x) }}")), target).program
        build_library(program, target, 1, folder / f"{name}.so")
        found.append((program, folder / f"{name}.so"))
    return found


def test_a_library_in_the_place_of_another_is_loaded_itself(networks, tmp_path):
    path, x, held = tmp_path / "library.so", np.array([[-1, 2, -3, 4]], np.float32), []
    for program, library in networks:
        shutil.copy(library, tmp_path / "new.so")
        (tmp_path / "new.so").replace(path)
        held.append(Executor.of_program(program, path))
    np.testing.assert_array_equal([executor.run(x)["y"] for executor in held], [[[0, 2, 0, 4]], -x])


def test_nothing_is_left_behind(networks, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    load_library(networks[0][1])
    with new_name(networks[0][1]) as path:
        assert path.samefile(networks[0][1])
    assert not any(tmp_path.iterdir())
