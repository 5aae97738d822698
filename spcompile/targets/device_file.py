"""Device files (TOML) -> a checked value of the family they name: every mistake one line that names the file and the field.

A number is `clock_hz = 1.5e9`, or `clock_hz = { value = 1.5e9, source = "where it comes from" }`. `base = "cortex-a72"` takes what the
file does not say from a shipped device. `[measured]` is what `spcompile calibrate` found on the device itself; a base's is not handed down.
"""

import difflib
import sys
from dataclasses import MISSING, fields, is_dataclass
from functools import cache
from pathlib import Path
from typing import get_args

from spcompile.errors import TargetError
from spcompile.targets.accelerator import Accelerator
from spcompile.targets.device import Device
from spcompile.targets.gpu import Gpu
from spcompile.targets.target import Target

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

DEVICES = Path(__file__).parent / "devices"
FAMILIES: dict[str, type[Device]] = {"cpu": Target, "gpu": Gpu, "fpga": Accelerator}  # `family` of a file -> the dataclass whose fields it fills
NOT_IN_TARGET = ("base", "recognised_by")  # for `read_table` and host.py
NOT_HANDED_DOWN = (*NOT_IN_TARGET, "measured")
LEAST = {"clock_hz": 1e6, "memory_bytes_per_second": 1e6, "memory_bytes_per_second_shared": 1e6}  # below: not given in Hz or bytes
MEASURED = {"date": str, "machine": str, "kernels": int, "threads": int, "core": float, "caches": float, "memory": float}


def read_table(path: Path) -> dict:
    """A device file with its bases filled in: field -> plain value or {value, source}; a base's numbers keep their sources."""
    return _fill(path, ())


def parse_target(table: dict, origin: str) -> Device:
    """Checked value of the table's family, from a table as `read_table` gives it. `origin` names the file in errors."""
    family = table.get("family")
    _demand("family" in table, origin, "family", f"is missing (one of {', '.join(FAMILIES)} expected)")
    _demand(family in FAMILIES, origin, "family", f"is {family!r}; allowed: {', '.join(FAMILIES)}")
    kind, known = FAMILIES[family], schema(FAMILIES[family])
    measurable = "measured_when" in {item.name for item in fields(kind)}
    _no_others(table, (*known, *(NOT_HANDED_DOWN if measurable else NOT_IN_TARGET)), origin, "")
    for name, item in known.items():
        _demand(name in table or item.default is not MISSING, origin, name, f"is missing ({_expected(item.type)} expected)")
    sources, values = {}, {}
    for name in (name for name in known if name in table):
        entry = _entry(known[name].type)
        values[name] = _entries(table[name], entry, origin, name, sources) if entry else _checked(table[name], known[name].type, origin, name, sources)
    for name, allowed in kind.ALLOWED.items():
        _demand(values.get(name, allowed[0]) in allowed, origin, name, f"is {values.get(name)!r}; allowed: {', '.join(allowed)}")
    found = _measured(table.get("measured"), origin, sources) if measurable else {}
    values["description"] += f" (calibrated: {found['measured_when']})" if found else ""
    try:
        return kind(**values, **found, sources=tuple(sources.items()))
    except TargetError as error:
        raise TargetError(f"device file {origin}: {error}") from error


@cache
def schema(kind: type[Device]) -> dict:
    """Name -> dataclass field, of those that a file may give; one with a default may be left out: the device has no such thing."""
    return {item.name: item for item in fields(kind) if item.name != "sources" and not item.name.startswith("measured_")}


def _fill(path: Path, seen: tuple[Path, ...]) -> dict:
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise TargetError(f"device file {path}: cannot be read ({error}); give a name from `spcompile targets` or a TOML file") from error
    except tomllib.TOMLDecodeError as error:
        raise TargetError(f"device file {path}: not TOML ({error})") from error
    table = {"name": path.stem} | {name: _sourced(value, path) for name, value in table.items()}
    if "base" not in table:
        return table
    base = DEVICES / f"{table['base']}.toml"
    known = sorted(file.stem for file in DEVICES.glob("*.toml"))
    near = difflib.get_close_matches(str(table["base"]), known, n=1)
    hint = f"did you mean {near[0]}? " if near else ""
    _demand(base.stem in known and base not in seen, str(path), "base", f"is {table['base']!r}; {hint}allowed: {', '.join(known)}")
    return {name: value for name, value in _fill(base, (*seen, path)).items() if name not in NOT_HANDED_DOWN} | table


def _sourced(value, path: Path):
    """Plain numbers of a file get the file itself as their source."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return {"value": value, "source": f"given in {path.name}"}
    if isinstance(value, list) and all(isinstance(item, dict) for item in value):
        return [{name: _sourced(item, path) for name, item in entry.items()} for entry in value]
    return value


def _entry(kind) -> type | None:
    """The dataclass of a field that is a list of tables, such as the caches."""
    return next((part for part in get_args(kind) if is_dataclass(part)), None)


def _entries(tables, kind: type, origin: str, name: str, sources: dict) -> tuple:
    known = {item.name: item.type for item in fields(kind)}
    _demand(isinstance(tables, list) and tables, origin, name, f"must be one [[{name}]] table an entry, in order")
    for at, entry in enumerate(tables):
        _demand(isinstance(entry, dict) and set(entry) == set(known), origin, f"{name}.{at}", f"must hold exactly {', '.join(known)}")
    return tuple(
        kind(**{part: _checked(entry[part], of, origin, f"{name}.{at}.{part}", sources) for part, of in known.items()}) for at, entry in enumerate(tables)
    )


def _measured(section, origin: str, sources: dict) -> dict:
    """Keyword arguments of Target for a [measured] section; none without one."""
    if section is None:
        return {}
    _demand(isinstance(section, dict) and "value" not in section, origin, "measured", "must be a table, [measured], as `spcompile calibrate` writes it")
    _no_others(section, MEASURED, origin, "measured.")
    for name in MEASURED:
        _demand(name in section, origin, f"measured.{name}", f"is missing ({_expected(MEASURED[name])} expected); `spcompile calibrate` writes it")
    found = {name: _checked(section[name], kind, origin, f"measured.{name}", {}) for name, kind in MEASURED.items()}
    when = f"{found['date']}, {found['kernels']} kernels on {found['machine']}, threads: {found['threads']}"
    scales = {f"measured_{name}": found[name] for name in ("core", "caches", "memory")}
    sources |= dict.fromkeys(scales, f"measured: {when}")
    return scales | {"measured_when": when}


def _no_others(table: dict, known, origin: str, prefix: str) -> None:
    for name in table:
        near = difflib.get_close_matches(name, known, n=1)
        hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(sorted(known))}"
        _demand(name in known, origin, f"{prefix}{name}", f"is not a field of a device file; {hint}")


def _checked(raw, kind, origin: str, name: str, sources: dict):
    value = raw
    if isinstance(raw, dict):
        _demand(set(raw) == {"value", "source"} and isinstance(raw["source"], str), origin, name, 'must be a value or { value = ..., source = "..." }')
        value, sources[name] = raw["value"], raw["source"]
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    whole = number and float(value).is_integer()
    least = LEAST.get(name, 0)
    fits = {str: isinstance(value, str), bool: isinstance(value, bool), float: number and least < value < float("inf"), int: whole and value > 0}
    strings = isinstance(value, list) and all(isinstance(item, str) for item in value)
    _demand(fits.get(kind, strings), origin, name, f"is {value!r}; {_expected(kind, least)} expected")
    return kind(value) if kind in fits else tuple(value)


def _expected(kind, least: float = 0) -> str:
    return {str: "a text", bool: "true or false", float: f"a number above {least:g}", int: "a whole number above 0"}.get(kind, "a list")


def _demand(condition, origin: str, name: str, problem: str):
    if not condition:
        raise TargetError(f"device file {origin}: field {name!r} {problem}")
