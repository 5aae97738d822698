"""Which tile of a product keeps a card's SMs busy for the shortest time, and how far ahead it asks for what it needs."""

from dataclasses import replace

from spcompile.costs.cpu import overlap
from spcompile.costs.gpu import FITTED
from spcompile.formats.two_of_four import COLUMNS
from spcompile.kernels.gpu.tile import HOPPER_TILES, TILES, Tile
from spcompile.kernels.gpu.work import ELEMENT, Product
from spcompile.targets.gpu import Gpu

SHARED_BYTES_PER_CYCLE = 128  # of one SM: 32 banks of 4 bytes
BLOCK_BYTES = 1024  # of shared memory that each thread block takes for itself
STEP_CYCLES = 250  # of a step of one thread block alone, by counts of instructions: none is shorter, whatever its tile
FILL_CYCLES, SUMS_PER_CYCLE = 1200, 13  # cycles of a tile's beginning; sums a cycle that its end writes
MOST_STAGES = 8


def best_tile(work: Product, gpu: Gpu, rows: int | None = None) -> Tile:
    """Of those that fit shared memory, of `rows` rows if given, the fastest by count, with as many buffers as there is room for beside its neighbours."""
    tiles = HOPPER_TILES if gpu.has_warpgroups else TILES
    fitting = [tile for tile in tiles if 4 * tile.words(work.two_of_four) <= gpu.shared_bytes and rows in (None, tile.rows)]
    return deepened(min(fitting, key=lambda tile: _busy_s(work, tile, gpu)), work, gpu)


def deepened(tile: Tile, work: Product, gpu: Gpu) -> Tile:
    """The same tile with more stages, as long as no fewer thread blocks share an SM."""
    room = (gpu.shared_bytes + BLOCK_BYTES) // _together(work, tile, gpu) - BLOCK_BYTES
    deeper = (replace(tile, stages=stages) for stages in range(MOST_STAGES, tile.stages, -1))
    return next((each for each in deeper if 4 * each.words(work.two_of_four) <= room), tile)


def _together(work: Product, tile: Tile, gpu: Gpu) -> int:
    """Thread blocks that an SM works at side by side."""
    fit = (gpu.shared_bytes + BLOCK_BYTES) // (4 * tile.words(work.two_of_four) + BLOCK_BYTES)
    return max(1, min(fit, _rounds(work, tile, gpu)))


def _rounds(work: Product, tile: Tile, gpu: Gpu) -> int:
    """Thread blocks that an SM has to do."""
    return -(-_blocks(work, tile) // gpu.sms)


def _blocks(work: Product, tile: Tile) -> int:
    return -(-work.rows // tile.rows) * -(-work.positions // tile.positions) * work.batch


def _busy_s(work: Product, tile: Tile, gpu: Gpu) -> float:
    """Each thread block as long as its tensor cores, its traffic with shared memory or its instructions, beside the traffic with L2."""
    columns, together = work.columns * work.kept, _together(work, tile, gpu)
    flop_per_cycle = (gpu.sparse_flops if work.two_of_four else gpu.dense_flops) / gpu.sms / gpu.clock_hz
    column = max(2 * tile.rows * tile.positions / flop_per_cycle, tile.bytes_per_column(work.two_of_four) / SHARED_BYTES_PER_CYCLE)
    ends = FILL_CYCLES + tile.rows * tile.positions / SUMS_PER_CYCLE
    cycles = _rounds(work, tile, gpu) * (max(columns * column, -(-columns // COLUMNS) * STEP_CYCLES / together) + ends / together)
    moved = _blocks(work, tile) * columns * (tile.rows * work.bytes_of_weight + tile.positions * ELEMENT)
    return overlap(FITTED.overlap, cycles, moved / gpu.l2_bytes_per_cycle) / gpu.clock_hz
