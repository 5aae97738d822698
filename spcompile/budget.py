"""Text -> budgets, accuracy losses and durations, once, at the edge."""

import re
from dataclasses import dataclass

from spcompile.errors import NotationError

SECONDS = {"us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0}
DURATIONS = {"s": 1.0, "min": 60.0, "h": 3600.0}
SAME_SCORE = 1e-9  # accuracies closer than this are the same count of right answers
NUMBER_AND_UNIT = re.compile(r"(\d+(?:\.\d*)?|\.\d+)\s*([^\d\s.]*)")


@dataclass(frozen=True)
class Budget:
    """The limit on one call's latency: absolute, or as a speed-up over the dense model. Exactly one is given."""

    latency_s: float | None = None
    speedup: float | None = None

    def __post_init__(self):
        given = [limit for limit in (self.latency_s, self.speedup) if limit is not None]
        assert len(given) == 1 and 0 < given[0] < float("inf"), self

    def limit_s(self, dense_s: float) -> float:
        """Seconds allowed, when the dense model takes `dense_s`."""
        return dense_s / self.speedup if self.speedup is not None else self.latency_s


def parse_budget(text: str) -> Budget:
    """The limit written "3ms", "250us", "0.01s" or "2x"."""
    allowed = "a budget is a time such as 3ms, 250us or 0.01s, or a speed-up over dense such as 2x"
    number, unit = _positive(text, "budget", (*SECONDS, "x"), allowed)
    return Budget(speedup=number) if unit == "x" else Budget(latency_s=number * SECONDS[unit])


def parse_drop(text: str) -> float:
    """The share of accuracy that may be lost: "1%" -> 0.01, in points of the score. "0%" asks for no loss at all."""
    allowed = "a drop is given in per cent points, from 0% to below 100%, such as 1% or 0.5%"
    number, _ = _number(text, "accuracy drop", ("%",), allowed)
    if number >= 100:
        raise NotationError(f"accuracy drop {text!r} would allow everything to be lost: {allowed}")
    return number / 100


def parse_duration(text: str) -> float:
    """Seconds of "30s", "10min" or "2h"."""
    number, unit = _positive(text, "duration", tuple(DURATIONS), "a duration is written 30s, 10min or 2h")
    return number * DURATIONS[unit]


def _positive(text: str, what: str, units: tuple[str, ...], allowed: str) -> tuple[float, str]:
    number, unit = _number(text, what, units, allowed)
    if number == 0:
        raise NotationError(f"{what} {text!r} is zero: {allowed}")
    return number, unit


def _number(text: str, what: str, units: tuple[str, ...], allowed: str) -> tuple[float, str]:
    """A number >= 0 and one of `units`; NotationError says what is missing."""
    if not isinstance(text, str):
        raise NotationError(f"{what} {text!r} is not text: {allowed}")
    bare = text.strip()
    if bare.startswith("-"):
        raise NotationError(f"{what} {text!r} is negative: {allowed}")
    match = NUMBER_AND_UNIT.fullmatch(bare)
    if not match or float(match[1]) == float("inf"):
        raise NotationError(f"{what} {text!r} is not a number with a unit: {allowed}")
    if not match[2]:
        raise NotationError(f"{what} {text!r} has no unit: {allowed}")
    if match[2] not in units:
        raise NotationError(f"{what} {text!r} has an unknown unit {match[2]!r}: {allowed}")
    return float(match[1]), match[2]
