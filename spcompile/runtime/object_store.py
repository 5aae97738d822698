"""Compiled kernels, an object file each, kept in the user's cache folder: one that was compiled before, for any network, is only linked again."""

import hashlib
import os
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from importlib.metadata import version
from pathlib import Path

import spcompile.kernels
from spcompile.kernels.kernel import Kernel
from spcompile.targets.target import Target
from spcompile.user_cache import user_cache

LIMIT_BYTES = 512e6  # beyond it the files that were not used for longest go


def store_folder() -> Path:
    return user_cache() / "objects"


def stored(kernel: Kernel, target: Target, threads: int, compiled: Callable[[], bytes]) -> bytes:
    """The kernel's object file; `compiled` makes it where it is not in the store. A store that cannot be written is done without."""
    path = store_folder() / f"{_digest(kernel, target, threads)}.o"
    try:
        found = path.read_bytes()
        os.utime(path)
    except OSError:
        found = compiled()
        _keep(path, found)
    return found


def _keep(path: Path, content: bytes) -> None:
    """Whole or not at all."""
    part = path.with_suffix(f".{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_bytes(content)
        part.replace(path)
    except OSError:
        with suppress(OSError):
            part.unlink(missing_ok=True)


def trim(limit_bytes: float = LIMIT_BYTES) -> None:
    """Delete what was not used for longest, as long as the store is larger than this."""
    files = [(entry.stat(), Path(entry)) for entry in os.scandir(store_folder())] if store_folder().is_dir() else []
    excess = sum(stat.st_size for stat, _ in files) - limit_bytes
    for stat, path in sorted(files, key=lambda file: file[0].st_mtime):
        if excess <= 0:
            break
        path.unlink(missing_ok=True)
        excess -= stat.st_size


def _digest(kernel: Kernel, target: Target, threads: int) -> str:
    """Of all that the object depends on: what is emitted, for what, and what emits and compiles it."""
    form = repr((type(kernel).__name__, kernel.code, kernel.name, threads, target, version("apache-tvm"), _sources()))
    return hashlib.sha256(form.encode()).hexdigest()


@cache
def _sources() -> str:
    """Digest of the code that emits kernels and of the options they are compiled with."""
    files = [*Path(spcompile.kernels.__file__).parent.rglob("*.py"), Path(__file__).with_name("build.py")]
    return hashlib.sha256(b"".join(path.read_bytes() for path in sorted(files))).hexdigest()
