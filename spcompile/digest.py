"""What files hold, in one word."""

import hashlib
from collections.abc import Iterable
from pathlib import Path


def files_digest(files: Iterable[Path]) -> str:
    """Of their names and contents, in the order of their paths; what is no file does not count."""
    found = hashlib.sha256()
    for path in sorted(path for path in files if path.is_file()):
        found.update(path.name.encode() + hashlib.sha256(path.read_bytes()).digest())
    return found.hexdigest()
