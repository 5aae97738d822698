"""Compiled kernels, an object file each, kept in the user's cache folder: one that was compiled before, for any network, is only linked again."""

import hashlib
import os
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import cache
from importlib.metadata import version
from pathlib import Path

import spcompile.kernels
from spcompile.digest import files_digest
from spcompile.kernels.kernel import Kernel
from spcompile.targets.target import Target
from spcompile.user_cache import user_cache
from spcompile.whole_file import write_whole

LIMIT_BYTES = 512e6  # beyond it the files that were not used for longest go


def store_folder() -> Path:
    return user_cache() / "objects"


def objects_of(kernels: Iterable[tuple[Kernel, int]], target: Target, compiled: Callable[[Kernel, int], bytes]) -> list[bytes]:
    """The object file of every kernel, for as many threads as it comes with, in their order; `compiled` makes those that are not in the store.

    A store that cannot be written is done without.
    """
    places = {store_folder() / f"{_digest(kernel, target, threads)}.o": (kernel, threads) for kernel, threads in kernels}
    known = [_known(path) for path in places]
    objects = [found or _kept(path, compiled(*wanted)) for found, (path, wanted) in zip(known, places.items(), strict=True)]
    if not all(known):
        trim()
    return objects


def _known(path: Path) -> bytes | None:
    """What the store has there, marked as used now."""
    with suppress(OSError):
        found = path.read_bytes()
        os.utime(path)
        return found
    return None


def _kept(path: Path, content: bytes) -> bytes:
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, content)
    return content


def trim(limit_bytes: float = LIMIT_BYTES) -> None:
    """Delete what was not used for longest, as long as the store is larger than this. Files that go meanwhile are another compilation's doing: it trims too."""
    with suppress(OSError):
        files = [(path.stat(), path) for path in store_folder().iterdir()]
        excess = sum(stat.st_size for stat, _ in files) - limit_bytes
        for stat, path in sorted(files, key=lambda file: file[0].st_mtime):
            if excess <= 0:
                break
            path.unlink()
            excess -= stat.st_size


def _digest(kernel: Kernel, target: Target, threads: int) -> str:
    """Of all that the object depends on: what is emitted, for what, and what emits and compiles it."""
    form = repr((type(kernel).__name__, kernel.code, kernel.name, threads, target, version("apache-tvm"), _sources()))
    return hashlib.sha256(form.encode()).hexdigest()


@cache
def _sources() -> str:
    """Digest of the code that emits kernels and of the options they are compiled with."""
    return files_digest([*Path(spcompile.kernels.__file__).parent.rglob("*.py"), Path(__file__).with_name("build.py")])
