"""The tuning store: for a product, the kernel that was measured fastest in its place; plain text, one JSON object a line, the last of a key holds.

Where nothing is stored the cost model's choice stands. Stored is only what to choose, never code: a result is as right as any other kernel's.
"""

import json
import os
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path

from spcompile.errors import DataError
from spcompile.kernels.kernel import Kernel
from spcompile.lowering.choosing import Product
from spcompile.targets.target import Target
from spcompile.user_cache import user_cache

Pick = Callable[[str, Product, Kernel], Kernel]  # layer's name, its product, the kernel predicted fastest -> the one to take
VARIABLE = "SPCOMPILE_TUNING"  # a file to use in place of the one in the user's cache folder


@dataclass(frozen=True)
class Entry:
    """One measurement. variant: of the fastest kernel; both times are of one call in its place in a network."""

    key: str
    variant: str
    seconds: float
    predicted_variant: str
    predicted_seconds: float
    cpu: str


@dataclass(frozen=True)
class TuningStore:
    """A file, which need not exist yet."""

    path: Path

    def variants(self) -> dict[str, str]:
        """Key -> the kernel's `variant`. DataError for a line that is none of ours."""
        return _read(self.path, self.path.stat().st_mtime_ns) if self.path.is_file() else {}

    def add(self, entries: Sequence[Entry]) -> None:
        """DataError where the file cannot be written, also for no entries at all."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("a", encoding="utf8") as file:
                file.write("".join(json.dumps(vars(entry)) + "\n" for entry in entries))
        except OSError as error:
            raise DataError(f"tuning store {self.path} cannot be written ({error.strerror}); name a file that can with {VARIABLE}") from error

    def pick(self, target: Target, threads: int) -> Pick:
        """Kernels as stored. A stored variant that is no longer offered is passed over."""
        known = self.variants()

        def pick(layer: str, product: Product, predicted: Kernel) -> Kernel:
            variant = known.get(key(product, target, threads)) if known else None
            if variant is None or variant == predicted.variant:
                return predicted
            return next((kernel for kernel in product.kernels(target, threads) if kernel.variant == variant), predicted)

        return pick


def user_store() -> TuningStore:
    """The file that the variable SPCOMPILE_TUNING names, else tuning.jsonl in the user's cache folder."""
    if given := os.environ.get(VARIABLE):
        return TuningStore(Path(given))
    return TuningStore(user_cache() / "tuning.jsonl")


def key(product: Product, target: Target, threads: int) -> str:
    """What a measurement holds for: shape, pattern, level in whole per cent, all else that decides the code (as a digest), device, threads, versions."""
    site = product.site
    pattern = "dense" if product.rows is None else f"{product.rows}x1 {product.blocks / site.dense_blocks(product.rows):.0%}"
    shape = f"{site.rows}x{site.columns} on {site.image[0]}x{site.image[1]}"
    digest = zlib.crc32(repr((site, product.scattered, target)).encode())
    return f"{shape}; {pattern}; {target.name}; {threads} threads; spcompile {version('spcompile')}, tvm {version('apache-tvm')}; {digest:08x}"


@lru_cache(maxsize=8)
def _read(path: Path, changed_ns: int) -> dict[str, str]:
    found = {}
    for number, line in enumerate(path.read_text(encoding="utf8", errors="replace").splitlines(), 1):
        try:
            entry = Entry(**json.loads(line))
        except (ValueError, TypeError) as error:
            raise DataError(f"tuning store {path}, line {number} is damaged ({error}); delete the line or the file") from error
        found[entry.key] = entry.variant
    return found
