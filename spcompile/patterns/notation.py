"""Text -> pattern, once, at the edge: "block4x1", "2:4", "block4x1@0.8"."""

import re
from dataclasses import dataclass
from difflib import get_close_matches

from spcompile.errors import NotationError
from spcompile.patterns.base import Pattern
from spcompile.patterns.choice import Choice

LEVEL = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(%?)")


@dataclass(frozen=True)
class Notation:
    """Parses exactly the notations of `known`; every refusal names what is allowed."""

    known: tuple[Pattern, ...]

    def pattern(self, text: str) -> Pattern:
        """The pattern spelled "2:4"; NotationError names near matches."""
        by_notation = {pattern.notation: pattern for pattern in self.known}
        name = text.strip()
        if name in by_notation:
            return by_notation[name]
        near = get_close_matches(name.lower(), by_notation, n=3)
        hint = f"did you mean {' or '.join(near)}? " if near else ""
        raise NotationError(f"unknown pattern {text!r}: {hint}patterns are {', '.join(by_notation)}")

    def patterns(self, text: str) -> tuple[Pattern, ...]:
        """The patterns of "2:4,block4x1", each once, in the order written."""
        return tuple(dict.fromkeys(self.pattern(name) for name in text.split(",")))

    def choice(self, text: str) -> Choice:
        """The pattern and level of "block4x1@0.8", "block4x1@80%", "2:4" or "dense"; the number is the share of zeros."""
        name, at, level = text.partition("@")
        pattern = self.pattern(name)
        fixed = pattern.fixed_sparsity
        if fixed is not None and at:
            raise NotationError(f"{text!r}: {pattern.notation} has one level ({fixed:g} zeros), write '{pattern.notation}' without a number")
        if fixed is None and not at:
            raise NotationError(f"{text!r} needs its share of zeros: write for example '{pattern.notation}@0.8'")
        return Choice(pattern, fixed if fixed is not None else self._sparsity(text, level))

    def _sparsity(self, text: str, level: str) -> float:
        match = LEVEL.fullmatch(level.strip())
        sparsity = float(match[1]) / (100 if match[2] else 1) if match else -1.0
        if not 0 < sparsity < 1:
            raise NotationError(f"{text!r}: the share of zeros after @ must lie between 0 and 1, as 0.8 or 80%")
        return sparsity
