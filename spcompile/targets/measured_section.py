"""The [measured] section of a device file of the user's own: put in place without touching the rest of the text."""

import re
from pathlib import Path

from spcompile.errors import TargetError
from spcompile.whole_file import write_whole

SECTION = re.compile(r"^[ \t]*\[measured\][^\n]*\n(?:(?![ \t]*\[)[^\n]*\n?)*", re.MULTILINE)
COMMENT = "# Written by `spcompile calibrate`: times taken on the device itself, over what the rates above say."


def own_device_file(name: str | Path) -> Path:
    """The file to write into. TargetError: a shipped device, or no file."""
    path = Path(name)
    if path.suffix == ".toml" and path.is_file():
        return path
    what = f"there is no file {path}" if path.suffix == ".toml" else f"'{name}' is no device file of yours"
    raise TargetError(f'{what}; calibrating writes into one: make my_board.toml with the line base = "cortex-a72" (`spcompile targets` lists the names)')


def write_measured(path: Path, values: dict[str, str | int | float]) -> None:
    """Put `values` (the fields of [measured]) where an earlier section was, or at the end. The old file stays whole until the new one is."""
    text = SECTION.sub("", path.read_text(encoding="utf-8")).replace(f"{COMMENT}\n", "").rstrip("\n")
    lines = [COMMENT, "[measured]", *(f"{name} = {_spelled(value)}" for name, value in values.items())]
    write_whole(path, "\n".join([text, "", *lines, ""]).encode())


def _spelled(value: str | int | float) -> str:
    if isinstance(value, str):
        return '"' + value.translate({ord('"'): "'", ord("\\"): "/", ord("\n"): " "}) + '"'
    return f"{value:.4g}" if isinstance(value, float) else str(value)
