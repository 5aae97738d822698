"""Which kernel a layer gets at its site: of those it allows, the one predicted fastest."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import product

from spcompile.costs.cpu import predict
from spcompile.costs.latency import Latency
from spcompile.kernels.cpu.subset_spmm import SubsetSpmm, partly_kept
from spcompile.kernels.kernel import Kernel
from spcompile.lowering.site import BLOCK_ROWS, Site
from spcompile.targets.target import Target

CONTENDERS = 8
SHARES = (0.6, 0.25, 0.08)  # of blocks kept, at which tiles are compared
# Times the fastest tile's time: so near, at one of SHARES, comes what is fastest anywhere. Of 29,000 options (six networks, three targets) one lost 0.8 %.
NEAR = 1.15
NEAR_SUBSETS = 1.08  # the same of kernels that take several rows' single weights together, which differ less


def fastest(
    site: Site, blocks: Callable[[int], float], target: Target, threads: int, widest: int = BLOCK_ROWS[-1], scattered: bool = False
) -> tuple[Kernel, int | None, Latency]:
    """The kernel predicted fastest over all formats and tiles -> (kernel, block rows or None for dense, latency of all calls).

    blocks: block rows -> how many blocks of that many rows hold a non-zero. widest: block rows beyond which it is not worth
    looking. scattered: rows come in another order than the output's.
    """
    formats, weights = [rows for rows in site.formats() if rows is None or rows <= widest], round(blocks(1))
    counts = {rows: 0 if rows is None else round(blocks(rows)) for rows in formats}
    in_subsets = {rows: weights if partly_kept(rows, count, weights) else 0 for rows, count in counts.items()}
    found = (_best_tile(site, rows, counts[rows], target, threads, scattered, in_subsets[rows]) for rows in formats)
    kernel, rows, latency = min((option for option in found if option is not None), key=lambda option: option[2].expected_s)
    return kernel, rows, latency.scaled(site.calls)


@lru_cache(maxsize=100_000)
def _best_tile(
    site: Site, rows: int | None, blocks: int, target: Target, threads: int, scattered: bool, weights: int = 0
) -> tuple[Kernel, int | None, Latency] | None:
    """None where the target has too few registers for so many rows. weights: in all blocks together; 0 where these are full."""
    if rows is None:
        kernels = site.kernels(None, 0, target, threads, scattered)
    else:
        promising = _promising(site, rows, target, threads, scattered)
        kernels = (_counted(kernel, blocks, weights) for kernel in promising if weights or not isinstance(kernel, SubsetSpmm))
    return min(((kernel, rows, predict(kernel.work(), target, threads)) for kernel in kernels), key=lambda option: option[2].expected_s, default=None)


@lru_cache(maxsize=10_000)
def _promising(site: Site, rows: int, target: Target, threads: int, scattered: bool) -> tuple[Kernel, ...]:
    """Of all tiles those that come near the fastest of their kind at one of SHARES: a few in place of a hundred are then weighed at every level."""
    total = site.dense_blocks(rows)
    kernels, found = tuple(site.kernels(rows, total, target, threads, scattered, rows * total - 1)), set()
    for share, subsets in product(SHARES, (False, True)):
        blocks, weights = (1 - (1 - share) ** rows, share * rows) if subsets else (share, 0.0)
        places = [place for place, kernel in enumerate(kernels) if isinstance(kernel, SubsetSpmm) == subsets]
        times_s = [predict(_counted(kernels[place], round(total * blocks), round(total * weights)).work(), target, threads).expected_s for place in places]
        found |= {place for place, time_s in zip(places, times_s, strict=True) if time_s <= (NEAR_SUBSETS if subsets else NEAR) * min(times_s)}
    return tuple(kernels[place] for place in sorted(found))


def _counted(kernel: Kernel, blocks: int, weights: int) -> Kernel:
    """The kernel for so many of either."""
    return replace(kernel, blocks=blocks, weights=weights) if isinstance(kernel, SubsetSpmm) else replace(kernel, blocks=blocks)


@dataclass(frozen=True)
class Product:
    """A layer at its site with its weights' format and how many blocks of it are kept: what a kernel is chosen for."""

    site: Site
    rows: int | None  # of a block; None = dense
    blocks: int  # 0 where dense
    scattered: bool
    weights: int = 0  # in all blocks together

    def contenders(self, target: Target, threads: int) -> list[Kernel]:
        """Kernels that are worth a measurement, at most CONTENDERS, the one predicted fastest first.

        Those after it each bring a register tile, or an order of loops, that none before them had: others differ by less than predictions know.
        """
        found, seen = [], set()
        for kernel in sorted(self.kernels(target, threads), key=lambda kernel: predict(kernel.work(), target, threads).expected_s):
            parts = set(kernel.variant.split(", ", 1))
            if not parts <= seen:
                found.append(kernel)
                seen |= parts
        return found[:CONTENDERS]

    def kernels(self, target: Target, threads: int) -> Iterator[Kernel]:
        return self.site.kernels(self.rows, self.blocks, target, threads, self.scattered, self.weights)
