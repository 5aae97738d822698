"""Times of whole networks on this host, taken in turns so that a noisy neighbour meets all alike."""

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

SAMPLE_S = 2e-3  # one sample repeats a call until it lasts so long
MIN_ROUNDS, MAX_ROUNDS = 15, 200


@dataclass(frozen=True)
class Sample:
    """Seconds of one call, once a round."""

    times_s: tuple[float, ...]

    @property
    def quartiles_s(self) -> tuple[float, float, float]:
        return tuple(statistics.quantiles(self.times_s, n=4))

    @property
    def median_s(self) -> float:
        return self.quartiles_s[1]

    @property
    def fastest_s(self) -> float:
        """What the machine can do when nobody disturbs it: other work only ever adds."""
        return min(self.times_s)

    @property
    def rounds(self) -> int:
        return len(self.times_s)

    def over(self, other: "Sample") -> float:
        """How many times as long as the other, both in their fastest round.

        Of one pair timed for 50 s on a shared machine, in windows of 2 s, this ratio stayed between 0.573 and 0.575; the median of the ratios
        round by round wandered from 0.573 to 0.636, since neighbours do not slow all code alike.
        """
        return self.fastest_s / other.fastest_s


def measure(calls: Mapping[str, Callable[[], object]], seconds: float = 1.5) -> dict[str, Sample]:
    """All are timed in turns (A B A B ...) for about `seconds` altogether, each turn after one call that is not timed, unless there is one only.

    That call brings the network's own data back into the caches, which the others used meanwhile: what is timed is a network called again and again.
    """
    repeats = {name: _repeats(call) for name, call in calls.items()}
    rounds: dict[str, list[float]] = {name: [] for name in calls}
    end = time.perf_counter() + seconds
    while len(next(iter(rounds.values()))) < MIN_ROUNDS or (time.perf_counter() < end and len(next(iter(rounds.values()))) < MAX_ROUNDS):
        for name, call in calls.items():
            if len(calls) > 1:
                call()
            rounds[name].append(_time(call, repeats[name]))
    return {name: Sample(tuple(times)) for name, times in rounds.items()}


def _repeats(call: Callable[[], object]) -> int:
    _time(call, 1)
    return max(1, round(SAMPLE_S / max(_time(call, 3), 1e-7)))


def _time(call: Callable[[], object], repeats: int) -> float:
    start = time.perf_counter()
    for _ in range(repeats):
        call()
    return (time.perf_counter() - start) / repeats
