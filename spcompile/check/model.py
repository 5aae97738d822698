"""One model that a project checks: how it is compiled, and the limits that it has to keep; from a table's keys, checked."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from difflib import get_close_matches
from math import isfinite
from pathlib import Path

from spcompile.budget import parse_budget, parse_drop
from spcompile.errors import SpcompileError
from spcompile.patterns import parse_patterns
from spcompile.targets import load_target

COMPILED = ("target", "patterns", "calib", "eval", "input_shapes", "threads")  # keys that only say how a `path` is compiled


class SettingsError(SpcompileError):
    """A file of models that is missing, or holds something that is not allowed there."""


@dataclass(frozen=True)
class Model:
    """A model to be compiled (`path`), or an artifact that is there already, and what it has to keep. As the user wrote it, files found."""

    name: str
    path: Path | None = None
    artifact: Path | None = None
    target: str | None = None
    budget: str | None = None
    threads: int = 1
    patterns: tuple[str, ...] | None = None
    calib: Path | None = None
    eval: Path | None = None
    input_shapes: Mapping[str, tuple[int, ...]] | None = None
    accuracy_floor: float | None = None
    max_drop: str | None = None
    baseline: Path | None = None


def model(name: str, entry: Mapping, folder: Path, place: str) -> Model:
    """A checked model from the keys of its table. `place` names the table in errors; files lie in `folder`."""
    if not name.replace("-", "").replace("_", "").replace(".", "").isalnum():
        raise SettingsError(f"{place}: a model's name is made of letters, digits and . - _, it names a folder too")
    only_known(entry, CHECKED, place)
    found = Model(name, **{key: CHECKED[key](value, folder, f"{place}.{key}") for key, value in entry.items()})
    _hold_together(found, place, entry)
    return found


def _hold_together(found: Model, place: str, entry: Mapping) -> None:
    if (found.path is None) == (found.artifact is None):
        raise SettingsError(f"{place}: give either path, a model to be compiled, or artifact, the folder that compiling wrote")
    if found.artifact is not None:
        if surplus := [key for key in COMPILED if key in entry]:
            raise SettingsError(f"{place}: {surplus[0]} says how a model is compiled, and artifact is compiled already; leave one of them out")
        if all(limit is None for limit in (found.budget, found.accuracy_floor, found.max_drop, found.baseline)):
            raise SettingsError(f"{place}: nothing to hold the artifact against; give baseline, budget, accuracy_floor or max_drop")
        return
    if found.target is None:
        raise SettingsError(f"{place}: target is missing, the device; `spcompile targets` lists them")
    if found.budget is None and found.max_drop is None:
        raise SettingsError(f"{place}: nothing to aim at; give budget (3ms, 250us, 2x), or max_drop with eval")
    if found.eval is None and (found.accuracy_floor is not None or found.max_drop is not None):
        limit = "max_drop" if found.max_drop is not None else "accuracy_floor"
        raise SettingsError(f"{place}: {limit} needs labelled data to measure the accuracy with; give eval, a labelled .npz")


def only_known(table: Mapping, known, place: str) -> None:
    """SettingsError with a near match for a misspelt key."""
    for key in table:
        if key not in known:
            near = get_close_matches(key.replace("-", "_"), known, n=1)
            raise SettingsError(f"{place}: unknown key '{key}'; " + (f"did you mean {near[0]}?" if near else f"allowed are {', '.join(known)}"))


def _demand(holds: bool, place: str, value, wanted: str) -> None:
    if not holds:
        raise SettingsError(f"{place} is {value!r}; {wanted}")


def _existing(value, folder: Path, place: str) -> Path:
    path = _file(value, folder, place)
    _demand(path.exists(), place, value, f"there is no {path}")
    return path


def _file(value, folder: Path, place: str) -> Path:
    _demand(isinstance(value, str) and bool(value), place, value, 'a path is wanted, such as "nets/model.onnx"')
    return folder / value


def _text(parse: Callable, example: str) -> Callable:
    """A text that `parse` understands; what it has to say against it is told together with its place."""

    def checked(value, folder: Path, place: str) -> str:
        _demand(isinstance(value, str), place, value, f'a text is wanted, such as "{example}"')
        try:
            parse(value)
        except SpcompileError as error:
            raise SettingsError(f"{place}: {error}") from error
        return value

    return checked


def _target(value, folder: Path, place: str) -> str:
    """A device file lies beside the settings."""
    own = str(folder / value) if isinstance(value, str) and value.endswith(".toml") else value
    return _text(load_target, "raspberry-pi-4")(own, folder, place)


def _threads(value, folder: Path, place: str) -> int:
    _demand(isinstance(value, int) and not isinstance(value, bool) and value >= 1, place, value, "a whole number of at least 1 is wanted")
    return value


def _floor(value, folder: Path, place: str) -> float:
    number = isinstance(value, (int, float)) and not isinstance(value, bool) and isfinite(value)
    _demand(number, place, value, "a number is wanted, in the unit of the report, such as 0.9")
    return float(value)


def _patterns(value, folder: Path, place: str) -> tuple[str, ...]:
    _demand(isinstance(value, (list, tuple)) and value and all(isinstance(item, str) for item in value), place, value, 'a list is wanted, such as ["2:4"]')
    return tuple(_text(parse_patterns, "2:4")(item, folder, place) for item in value)


def _shapes(value, folder: Path, place: str) -> dict[str, tuple[int, ...]]:
    sizes = value.values() if isinstance(value, dict) else [None]
    whole = all(isinstance(shape, (list, tuple)) and all(type(size) is int and size > 0 for size in shape) for shape in sizes)
    _demand(whole, place, value, "a table of sizes by input is wanted, such as { x = [1, 3, 224, 224] }")
    return {name: tuple(shape) for name, shape in value.items()}


CHECKED = {
    "path": _existing,
    "artifact": _file,  # what is wrong with it, opening it tells
    "target": _target,
    "budget": _text(parse_budget, "3ms"),
    "threads": _threads,
    "patterns": _patterns,
    "calib": _existing,
    "eval": _existing,
    "input_shapes": _shapes,
    "accuracy_floor": _floor,
    "max_drop": _text(parse_drop, "1%"),
    "baseline": _file,
}
assert set(CHECKED) == {field.name for field in fields(Model)} - {"name"}
