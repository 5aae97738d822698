"""What one thread block computes of a product, how its warps share it, and how its inputs lie in shared memory."""

from dataclasses import dataclass

from spcompile.formats.two_of_four import COLUMNS, LANES, ROWS
from spcompile.kernels.gpu.kernel import WARP
from spcompile.kernels.gpu.tile_output import tile_words

WORDS = 4  # of a chunk of 16 bytes
PATTERN_WORDS = 256  # after so many words a swizzle begins anew; buffers begin at a multiple of them
GROUP_ROWS = 64  # of a warpgroup: four warps of 16 rows that share one wgmma


@dataclass(frozen=True)
class Tile:
    """Of one thread block, with how many warps share its rows and positions, and how many buffers it has: all but one, with wgmma all but two, filled ahead.

    warpgroups: multiplied by Hopper's wgmma, which reads shared memory itself and works on while threads go ahead; else by mma, warp by warp.
    """

    rows: int
    positions: int
    warps: tuple[int, int]
    stages: int
    warpgroups: bool = False

    def __post_init__(self):
        assert self.rows % (ROWS * self.warps[0]) == 0 and self.positions % (8 * self.warps[1]) == 0, self
        assert self.positions % (self.threads // 8) == 0 and self.rows % (self.threads // 4) == 0 and self.stages > 1 + self.running, self
        assert not self.warpgroups or (self.rows % GROUP_ROWS == 0 and self.warps == (self.rows // ROWS, 1) and self.positions <= 256), self

    @property
    def threads(self) -> int:
        return self.warps[0] * self.warps[1] * WARP

    @property
    def running(self) -> int:
        """Steps that still read their buffers while the next one begins."""
        return 1 if self.warpgroups else 0

    def bytes_per_column(self, two_of_four: bool) -> float:
        """That pass through shared memory for one column of the weights: written once, read by every warp or warpgroup."""
        share = 0.5 if two_of_four else 1
        readers = (self.rows // GROUP_ROWS, 1) if self.warpgroups else self.warps
        read = (self.rows // readers[0] * share + self.positions // readers[1]) * readers[0] * readers[1]
        return 2 * (read + self.rows * share + self.positions)

    def words(self, two_of_four: bool) -> int:
        """32-bit words of shared memory, some for an even start among them."""
        buffers = self.stages * self.stage_words(two_of_four) + (PATTERN_WORDS if self.warpgroups else 0)
        return max(buffers, tile_words(self.rows, self.positions))

    def weight_words(self, two_of_four: bool) -> int:
        return self.rows * COLUMNS // (4 if two_of_four else 2)

    @property
    def input_words(self) -> int:
        return self.positions * COLUMNS // 2

    def stage_words(self, two_of_four: bool) -> int:
        """Of one buffer: weights, inputs, metadata."""
        words = self.weight_words(two_of_four) + self.input_words + (self.rows // ROWS * LANES if two_of_four else 0)
        return -(-words // PATTERN_WORDS) * PATTERN_WORDS if self.warpgroups else words


def _warpgroups(rows: int, positions: int, stages: int) -> Tile:
    return Tile(rows, positions, (rows // ROWS, 1), stages, warpgroups=True)


TILES = (  # largest first
    Tile(128, 128, (2, 2), 3),
    Tile(128, 64, (2, 2), 3),
    Tile(64, 64, (2, 2), 4),
    Tile(64, 32, (2, 2), 4),
    Tile(64, 16, (4, 1), 4),
)
HOPPER_TILES = (
    _warpgroups(128, 256, 4),
    _warpgroups(128, 192, 4),
    _warpgroups(128, 128, 3),  # two of them fit an SM
    _warpgroups(128, 64, 4),
    _warpgroups(64, 256, 4),
    _warpgroups(64, 128, 4),
    _warpgroups(64, 64, 5),
    _warpgroups(64, 32, 5),
    _warpgroups(64, 16, 5),
)


def swizzled(row, chunk, chunks: int):
    """Word where a chunk of a row lies, rows of `chunks` (4 or 8) chunks: eight lanes that read one chunk of eight rows meet all banks.

    These are wgmma's swizzles of 64 and 128 bytes (PTX ISA 8.7, section 9.7.15.5.1.2).
    """
    return row * (chunks * WORDS) + (chunk ^ (row % 8 if chunks == 8 else row // 2 % 4)) * WORDS
