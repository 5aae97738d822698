"""How the kept weights are stored."""

from spcompile.formats.block_rows import BlockRows, pack, unpack

__all__ = ["BlockRows", "pack", "unpack"]
