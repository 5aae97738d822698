"""The analytic GPU model: matrix products by tiles and waves, everything else by bytes. docs/gpu.md explains and judges it.

    product = launch + latency * sqrt(steps) + (tensor cores ~ L2 ~ memory)          a ~ b = (a^k + b^k)^(1/k)
    tensor cores = waves of tiles over the SMs, the last one as long as a full one; the fastest tile and split of the sum is taken
    memory       = what L2 does not hold; 2:4 libraries walk along the rows first, so weights beyond L2 are read again for every wave

The rates belong to the card (targets/devices); the constants below were fitted on published A100 times of cuBLASLt and cuSPARSELt and hold for all cards:
what is predicted is a good library's speed; how near our kernels come is not measured yet.
"""

from dataclasses import dataclass
from functools import lru_cache

from spcompile.costs.cpu import overlap
from spcompile.costs.latency import Latency
from spcompile.kernels.gpu.work import ELEMENT, Product, Sweep
from spcompile.targets.gpu import Gpu

TILES = ((256, 128), (128, 256), (128, 128), (256, 64), (64, 256), (128, 64), (64, 128), (64, 64), (128, 32), (64, 32))  # rows x positions
BLOCK_ROWS = 64  # of a tile that skips blocks of columns
VECTOR_TILES = ((128, 128),)
VECTOR_FLOP_PER_CYCLE = 780  # of an SM, by shared memory: 2 x 16 x 8 x 16 for 672 bytes, at 128 a cycle (kernels/gpu/vector_code.py)
SPLITS = (1, 2, 3, 4, 6, 8, 16)  # of the sum over columns among thread blocks
WHOLE = (1,)
SHORTEST_SPLIT = 256  # columns
STEP = 64  # columns that a thread block takes at once
LOW, HIGH = 0.85, 1.25  # truth / prediction, 9 times of 10, on A100


@dataclass(frozen=True)
class Constants:
    """Fitted; times in seconds. `benchmarks/gpu_cost_models.py --fit` finds them again."""

    launch_s: float = 3.98e-6
    sparse_launch_s: float = 1.40e-6  # more of a 2:4 kernel
    latency_s: float = 3.14e-7
    sparse_latency_s: float = 4.74e-7
    split_s: float = 3.94e-6  # summing up what a split sum left in parts
    overlap: float = 2.67  # k above
    memory_share: float = 0.695  # of the data sheet's bandwidth
    l2_share: float = 0.9
    resident: float = 0.0077  # footprint / L2: up to this all hits,
    thrashed: float = 1.10  # from this on all misses
    weights_resident: float = 0.734  # the same of the weights of 2:4, wave after wave
    weights_thrashed: float = 0.963


FITTED = Constants()


def predict(work: Product | Sweep, gpu: Gpu, network_bytes: float = 0.0, constants: Constants = FITTED, splits: tuple[int, ...] = SPLITS) -> Latency:
    """Latency of one launch, basis "analytic".

    network_bytes: all memory the network uses, among which its data is found; 0: called again and again alone. splits: of a product's sum that its kernel
    can make; a library's unless given, `WHOLE` for our own kernels.
    """
    seconds = _product(work, gpu, network_bytes, constants, splits) if isinstance(work, Product) else _sweep(work, gpu, network_bytes, constants)
    return Latency(seconds, seconds * LOW, seconds * HIGH, "analytic")


def _sweep(work: Sweep, gpu: Gpu, network_bytes: float, c: Constants) -> float:
    memory, l2 = _bytes_s(work.bytes, work.bytes, gpu, network_bytes, c)
    return c.launch_s + overlap(c.overlap, memory, l2, work.flop / (gpu.sms * gpu.fp32_flop_per_cycle * gpu.clock_hz))


@lru_cache(maxsize=100_000)
def _product(work: Product, gpu: Gpu, network_bytes: float, c: Constants, splits: tuple[int, ...]) -> float:
    splits = tuple(split for split in splits if split == 1 or work.columns >= split * SHORTEST_SPLIT)
    tiles = VECTOR_TILES if work.vectors else [tile for tile in TILES if work.kept == 1 or tile[0] == BLOCK_ROWS]
    return min(_tiled(work, gpu, network_bytes, c, tile, split) for tile in tiles for split in splits)


def _tiled(work: Product, gpu: Gpu, network_bytes: float, c: Constants, tile: tuple[int, int], split: int) -> float:
    high, wide = -(-work.rows // tile[0]), -(-work.positions // tile[1])
    columns = -(-work.columns * work.kept // (split * STEP)) * STEP
    read = work.columns if work.vectors else work.columns * work.kept  # of the inputs, by each tile
    rate = (gpu.sparse_flops if work.two_of_four else gpu.dense_flops) / gpu.sms
    if work.vectors:
        rate = min(rate, VECTOR_FLOP_PER_CYCLE * gpu.clock_hz)
    waves = -(-high * wide * work.batch * split // gpu.sms)
    traffic = high * wide * work.batch * (tile[0] * work.bytes_of_weight * work.columns * work.kept + tile[1] * ELEMENT * read)
    if split > 1:
        traffic += 2 * 4 * work.rows * work.positions * work.batch * split
    again = _weights_again(work, gpu, c, high, wide) if work.two_of_four else 0.0
    memory, l2 = _bytes_s(work.bytes, traffic, gpu, network_bytes, c)
    memory += again / (gpu.memory_bytes_per_second * c.memory_share)
    fixed = c.launch_s + (c.split_s if split > 1 else 0.0) + (c.sparse_launch_s if work.two_of_four else 0.0)
    waiting = (c.sparse_latency_s if work.two_of_four else c.latency_s) * (max(columns, read / split) / STEP) ** 0.5
    return fixed + waiting + overlap(c.overlap, waves * 2 * tile[0] * tile[1] * columns / rate, l2, memory)


def _weights_again(work: Product, gpu: Gpu, c: Constants, high: int, wide: int) -> float:
    """Bytes of weights read beyond the first time: by every wave, as far as L2 does not keep them."""
    passes = max(0.0, wide / max(1.0, gpu.sms / high) - 1)
    return passes * work.weight_bytes * _misses(work.weight_bytes / gpu.l2_bytes, c.weights_resident, c.weights_thrashed)


def _bytes_s(footprint: float, traffic: float, gpu: Gpu, network_bytes: float, c: Constants) -> tuple[float, float]:
    """(memory, L2): seconds of reading what L2 misses, and of all traffic between L2 and SMs."""
    missed = footprint * _misses(max(footprint, network_bytes) / gpu.l2_bytes, c.resident, c.thrashed)
    return missed / (gpu.memory_bytes_per_second * c.memory_share), traffic / (gpu.l2_bytes_per_cycle * gpu.clock_hz * c.l2_share)


def _misses(share: float, resident: float, thrashed: float) -> float:
    return min(1.0, max(0.0, (share - resident) / (thrashed - resident)))
