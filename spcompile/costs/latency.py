"""A time with where it comes from and how sure it is."""

from dataclasses import dataclass

BASES = ("measured", "machine-code", "simulated", "analytic")  # strongest first


@dataclass(frozen=True)
class Latency:
    """Seconds of one call, with the range in which truth is expected 9 times of 10, and its basis."""

    expected_s: float
    low_s: float
    high_s: float
    basis: str

    def __post_init__(self):
        assert self.basis in BASES, self.basis
        assert 0 <= self.low_s <= self.expected_s <= self.high_s, self

    def __add__(self, other: "Latency") -> "Latency":
        """Times in sequence; the sum is only as well founded as its weaker part."""
        basis = max(self.basis, other.basis, key=BASES.index)
        return Latency(self.expected_s + other.expected_s, self.low_s + other.low_s, self.high_s + other.high_s, basis)

    def scaled(self, factor: float) -> "Latency":
        """The same, on a machine `factor` times slower."""
        return Latency(self.expected_s * factor, self.low_s * factor, self.high_s * factor, self.basis)
