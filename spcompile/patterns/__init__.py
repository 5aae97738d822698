"""Which weights may be zero. Order is the order of reports; dense first."""

from spcompile.patterns.balanced import Balanced
from spcompile.patterns.base import Pattern
from spcompile.patterns.block import Block
from spcompile.patterns.channel import Channel
from spcompile.patterns.choice import Choice
from spcompile.patterns.dense import Dense
from spcompile.patterns.n_of_m import NOfM
from spcompile.patterns.notation import Notation
from spcompile.patterns.tile import Tile
from spcompile.patterns.unstructured import Unstructured

GENERAL: tuple[Pattern, ...] = (  # what processors can gain from
    Dense(),
    Unstructured(),
    Block(2),
    Block(4),
    Block(8),
    Block(16),
    NOfM(2, 4),
    NOfM(1, 4),
    NOfM(2, 8),
    NOfM(4, 8),
    Channel(),
)
PATTERNS: tuple[Pattern, ...] = (
    *GENERAL,
    Tile(16, 16),  # what tensor cores can skip whole
    Tile(32, 32),
    Tile(64, 64),
    NOfM(1, 8),  # from here on: for arrays whose processing elements decode them
    NOfM(1, 16),
    NOfM(2, 16),
    NOfM(4, 16),
    NOfM(1, 32),
    NOfM(2, 32),
    NOfM(4, 32),
    NOfM(8, 32),
    Balanced(16),
    Balanced(32),
)

_notation = Notation(PATTERNS)
parse, parse_patterns, parse_choice = _notation.pattern, _notation.patterns, _notation.choice

__all__ = ["GENERAL", "PATTERNS", "Choice", "Pattern", "parse", "parse_choice", "parse_patterns"]
