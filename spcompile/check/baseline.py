"""baseline.json: a snapshot as a file that lives in a repository. Keys are sorted and a layer takes one line, so that its diff can be read."""

import json
from functools import cache
from pathlib import Path

from spcompile.check.figures import Snapshot, Times
from spcompile.errors import SpcompileError
from spcompile.verdict import Verdict
from spcompile.whole_file import write_whole

SCHEMA = 1
MISSING = "not available: "


class BaselineError(SpcompileError):
    """A baseline that is missing, damaged, of another schema, or of something else than what is checked."""


def write(path: Path, snapshot: Snapshot) -> None:
    write_whole(path, to_text(snapshot).encode())


def read(path: Path) -> Snapshot:
    """BaselineError, one line, for what is no baseline that this version reads."""
    from cattrs.errors import BaseValidationError

    if not path.is_file():
        raise BaselineError(f"there is no baseline '{path}'; write one with --update and commit it")
    try:
        form = json.loads(path.read_text())
    except ValueError as error:
        raise BaselineError(f"baseline '{path}' is damaged ({error}); write it again with --update") from error
    if not isinstance(form, dict) or "schema" not in form:
        raise BaselineError(f"'{path}' is no baseline: it has no schema; write one with --update")
    if form["schema"] != SCHEMA:
        raise BaselineError(f"baseline '{path}' has schema {form['schema']!r}, this spcompile reads {SCHEMA}; write it again with --update")
    try:
        return _converter().structure({name: value for name, value in form.items() if name != "schema"}, Snapshot)
    except (BaseValidationError, AssertionError) as error:
        raise BaselineError(f"baseline '{path}' does not hold together: {_first(error)}; write it again with --update") from error


def to_text(snapshot: Snapshot) -> str:
    """The file's content."""
    form = {"schema": SCHEMA} | _converter().unstructure(snapshot)
    return "{\n" + ",\n".join(f" {json.dumps(name)}: {_value(name, form[name])}" for name in sorted(form)) + "\n}\n"


def _value(name: str, value) -> str:
    if name == "layers":
        return "[\n" + ",\n".join(f"  {json.dumps(layer, sort_keys=True)}" for layer in value) + "\n ]"
    return json.dumps(value, sort_keys=True, indent=1).replace("\n", "\n ")


def _first(error: Exception) -> str:
    from cattrs import transform_error

    return str(error) if isinstance(error, AssertionError) else transform_error(error, path="baseline")[0]


@cache
def _converter():
    from cattrs import Converter

    converter = Converter(forbid_extra_keys=True, unstruct_collection_overrides={tuple: list})
    converter.register_unstructure_hook(Verdict, lambda verdict: f"{MISSING}{verdict.reason}")
    for kind in (float, Times):
        converter.register_structure_hook(kind | Verdict, lambda form, _, kind=kind: _or_missing(converter, form, kind))
    return converter


def _or_missing(converter, form, kind: type):
    return Verdict.no(form.removeprefix(MISSING)) if isinstance(form, str) else converter.structure(form, kind)
