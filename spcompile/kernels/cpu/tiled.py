"""Kernels with positions in their lanes."""


class TiledPositions:
    """`vectors` registers of `lanes` positions are summed up at a time. The last tile is moved back so that it ends at the last position."""

    positions: int
    vectors: int
    lanes: int

    @property
    def tile(self) -> int:
        return self.vectors * self.lanes

    @property
    def tiles(self) -> int:
        return -(-self.positions // self.tile)

    def begin_of(self, tile):
        """First position of a tile, in the code; where positions do not fill one, it begins with them."""
        from tvm.tirx.script.builder import ir as T

        return T.min(tile * self.tile, max(self.positions - self.tile, 0))
