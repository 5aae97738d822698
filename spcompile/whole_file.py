"""Files that appear whole or not at all."""

import os
import tempfile
from contextlib import suppress
from pathlib import Path


def write_whole(path: Path, data: bytes) -> None:
    """Write beside `path`, then rename: readers never see half a file, and a failure leaves nothing behind."""
    try:
        _write(path, data)
    except OSError as error:
        error.filename = str(path)  # not the temporary file, of which no user knows
        raise


def _write(path: Path, data: bytes) -> None:
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(path)
    except BaseException:
        with suppress(FileNotFoundError):
            temporary.unlink()
        raise


def _umask() -> int:
    """The process's own; it can only be read by setting it."""
    mask = os.umask(0)
    os.umask(mask)
    return mask
