"""Which weights may be zero. Order is the order of reports; dense first."""

from spcompile.patterns.base import Pattern
from spcompile.patterns.block import Block
from spcompile.patterns.channel import Channel
from spcompile.patterns.choice import Choice
from spcompile.patterns.dense import Dense
from spcompile.patterns.n_of_m import NOfM
from spcompile.patterns.notation import Notation
from spcompile.patterns.unstructured import Unstructured

PATTERNS: tuple[Pattern, ...] = (
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

_notation = Notation(PATTERNS)
parse, parse_patterns, parse_choice = _notation.pattern, _notation.patterns, _notation.choice

__all__ = ["PATTERNS", "Choice", "Pattern", "parse", "parse_choice", "parse_patterns"]
