"""Loading shared libraries into this process, each as it lies on the disk now."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def new_name(library: str | Path) -> Iterator[Path]:
    """A path to `library` that was never loaded: for a known path dlopen gives what it loaded from there before, whatever lies there by now."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / Path(library).name
        path.symlink_to(Path(library).resolve())
        yield path  # only needed until it is loaded: the library stays mapped


def load_library(library: str | Path):
    """-> TVM's module."""
    import tvm  # noqa: F401 the runtime that the library calls
    import tvm_ffi

    with new_name(library) as path:
        return tvm_ffi.load_module(path)  # tvm.runtime.load_module does the same with the known name behind the link
