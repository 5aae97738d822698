"""spcompile.toml, or [tool.spcompile] in pyproject.toml: the models of a project."""

import sys
from pathlib import Path

from spcompile.check.model import Model, SettingsError, model, only_known

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

FILE, PYPROJECT = "spcompile.toml", "pyproject.toml"


def find(folder: Path) -> Path | None:
    """The file that lists the models of a folder."""
    if (folder / FILE).is_file():
        return folder / FILE
    path = folder / PYPROJECT
    return path if path.is_file() and _section(_table(path)) is not None else None


def read(path: Path) -> tuple[Model, ...]:
    """SettingsError or another SpcompileError, one line, for whatever is wrong in it; files are found beside it."""
    table, place = _table(path), str(path)
    if path.name == PYPROJECT:
        table, place = _section(table), f"{path}: tool.spcompile"
    if isinstance(table, dict):
        only_known(table, ("models",), place)
    models = table.get("models") if isinstance(table, dict) else None
    if not isinstance(models, dict) or not models or not all(isinstance(entry, dict) for entry in models.values()):
        example = "[tool.spcompile.models.NAME]" if path.name == PYPROJECT else "[models.NAME]"
        raise SettingsError(f'{place}: no models; list each as {example} with path = "NAME.onnx", target = "arm", budget = "3ms"')
    found = tuple(model(name, entry, path.parent, f"{place}: models.{name}") for name, entry in models.items())
    owner: dict[Path, str] = {}
    for each in found:
        if each.baseline is not None and owner.setdefault(each.baseline, each.name) != each.name:
            raise SettingsError(f"{place}: models.{each.name}.baseline is that of {owner[each.baseline]} too; give each model a file of its own")
    return found


def _section(table: dict):
    """[tool.spcompile], which the file's author may have made anything; None without one."""
    tool = table.get("tool")
    return tool.get("spcompile") if isinstance(tool, dict) else None


def _table(path: Path) -> dict:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} cannot be read ({getattr(error, 'strerror', None) or error}); give a TOML file that lists models") from error
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{path} is not TOML: {error}") from error
