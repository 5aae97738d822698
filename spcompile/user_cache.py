"""Where things are kept that can be made again."""

import os
from pathlib import Path


def user_cache() -> Path:
    """This project's folder under the user's cache folder, which need not exist yet."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "spcompile"
