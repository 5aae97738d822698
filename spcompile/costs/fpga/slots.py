"""How many weights a group keeps room for, before the weights are known."""

from functools import lru_cache

from spcompile.costs.fpga.work import row_tiles
from spcompile.ir.layer import Layer
from spcompile.patterns import Choice
from spcompile.patterns.balanced import Balanced
from spcompile.patterns.channel import Channel
from spcompile.patterns.n_of_m import NOfM
from spcompile.patterns.unstructured import Unstructured
from spcompile.targets.accelerator import Accelerator

SCATTERED = 32  # columns of a group where zeros may be anywhere


def group_size(choice: Choice, target: Accelerator) -> int:
    """Columns of a group in which the target's array decodes the choice; 1 where it does not, and every weight takes its cycle."""
    pattern = choice.pattern
    if choice.sparsity == 0 or pattern.notation not in target.decodes:
        return 1
    if isinstance(pattern, (NOfM, Balanced)):
        return pattern.of
    return min(SCATTERED, target.window_columns) if isinstance(pattern, Unstructured) else 1


def expected_slots(layer: Layer, choice: Choice, target: Accelerator) -> tuple[int, int, tuple[int, ...]]:
    """-> (rows of a group of channels, columns of a group, slots of each row tile), as `work_of` takes them.

    Exact for balanced patterns and channels, else the fullest group that is to be expected in a tile.
    """
    of, rows = group_size(choice, target), layer.rows // layer.groups
    if isinstance(choice.pattern, Channel) and layer.groups == 1:
        rows -= choice.pattern.partition((layer.rows, layer.columns), choice.sparsity).drop
    tiles = row_tiles(rows, target)
    if of == 1:
        return rows, 1, (1,) * tiles
    if isinstance(choice.pattern, NOfM):
        return rows, of, (choice.pattern.kept,) * tiles
    if isinstance(choice.pattern, Balanced):
        return rows, of, (of - choice.pattern.partition((layer.rows, layer.columns), choice.sparsity).drop,) * tiles
    groups = -(-layer.columns // of)
    return rows, of, tuple(_fullest(of, choice.density, groups * min(target.array_rows, rows - tile * target.array_rows)) for tile in range(tiles))


@lru_cache(maxsize=4096)
def _fullest(of: int, density: float, groups: int) -> int:
    """Expected maximum of so many independent binomial counts, rounded."""
    from scipy.stats import binom

    return max(1, round(sum(1 - float(binom.cdf(kept, of, density)) ** groups for kept in range(of))))
