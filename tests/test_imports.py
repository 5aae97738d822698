"""Imports point down, and heavy packages are imported where they are used."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import spcompile

ROOT = Path(spcompile.__file__).parent
LEVELS = (  # a room may import the rooms below its level, never its level or above
    ("spcompile",),  # the package's own face
    ("cli", "pytest_plugin"),
    ("check",),
    ("compiler",),
    ("report",),
    ("search", "runtime", "training"),
    ("lowering", "accelerator"),
    ("passes",),
    ("plan",),
    ("costs",),
    ("kernels",),
    ("targets", "formats", "pruning"),
    ("patterns",),
    ("ir",),
    ("budget", "progress"),
    ("verdict", "errors", "user_cache", "digest", "whole_file", "interrupt", "shortened"),
)
LEVEL = {room: level for level, rooms in enumerate(LEVELS) for room in rooms}
PASSES_ARE_RUN_BY = {"compiler", "lowering"}
AT_MODULE_LEVEL = {  # heavy package -> the only files (by prefix) that are about it from their first line to their last
    "tvm": (),
    "torch": ("pruning/", "training/"),
    "onnxruntime": ("ir/session.py",),
    "matplotlib": ("report/",),
}
FILES = sorted(ROOT.rglob("*.py"))
by_file = pytest.mark.parametrize("file", FILES, ids=lambda file: file.relative_to(ROOT).as_posix())


def room_of(file: Path) -> str:
    first = file.relative_to(ROOT).parts[0].removesuffix(".py")
    return "spcompile" if first in ("__init__", "__main__") else first


def imported(node: ast.AST) -> list[str]:
    """Dotted names that an import statement names; `from spcompile import plan` names spcompile.plan."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        return [f"{node.module}.{alias.name}" if node.module == "spcompile" else node.module for alias in node.names]
    return []


def rooms_imported(file: Path) -> set[str]:
    """Rooms of ours named anywhere in the file, inside functions too."""
    names = (name.split(".") for node in ast.walk(ast.parse(file.read_text())) for name in imported(node))
    return {parts[1] for parts in names if parts[0] == "spcompile" and len(parts) > 1} - {room_of(file)}


def test_every_room_has_its_level():
    assert {room_of(file) for file in FILES} == set(LEVEL)


@by_file
def test_imports_point_down(file):
    own = room_of(file)
    for room in rooms_imported(file):
        assert LEVEL.get(room, -1) > LEVEL[own], f"{own} must not import {room}"
        assert room != "passes" or own in PASSES_ARE_RUN_BY, f"{own} must not run passes"


@by_file
def test_heavy_packages_are_imported_inside_functions(file):
    place = file.relative_to(ROOT).as_posix()
    for node in ast.parse(file.read_text()).body:
        for name in imported(node):
            package = name.split(".")[0]
            allowed = place.startswith(AT_MODULE_LEVEL.get(package, ("",)))
            assert allowed, f"{place} imports {package} at module level"


@pytest.mark.parametrize("module", ["spcompile", "spcompile.cli", "spcompile.patterns", "spcompile.search", "spcompile.targets", "spcompile.kernels.work"])
def test_the_command_line_and_the_lower_rooms_start_without_heavy_packages(module):
    """`spcompile --help` answers at once."""
    code = f"import sys, {module}; print(*sorted({{name.split('.')[0] for name in sys.modules}} & {set(AT_MODULE_LEVEL) | {'onnx', 'onnxscript', 'scipy'}!r}))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert loaded == [], f"import {module} loads {', '.join(loaded)}"


def test_the_checks_see_what_they_forbid(tmp_path, monkeypatch):
    monkeypatch.setitem(globals(), "ROOT", tmp_path)
    (tmp_path / "ir").mkdir()
    bad = tmp_path / "ir" / "bad.py"
    bad.write_text("import tvm\ndef f():\n    from spcompile import plan\n    from spcompile.search.choose import choose\n")
    assert rooms_imported(bad) == {"plan", "search"}
    with pytest.raises(AssertionError, match="ir must not import"):
        test_imports_point_down(bad)
    with pytest.raises(AssertionError, match="imports tvm at module level"):
        test_heavy_packages_are_imported_inside_functions(bad)
