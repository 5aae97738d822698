"""Times taken in turns, on a clock of the test's own."""

import statistics

import pytest

from spcompile.runtime import measure as module
from spcompile.runtime.measure import MAX_ROUNDS, MIN_ROUNDS, SAMPLE_S, measure


class Clock:
    """Calls take the time they are told to take."""

    def __init__(self, monkeypatch):
        self.now_s, self.log = 0.0, []
        monkeypatch.setattr(module.time, "perf_counter", lambda: self.now_s)

    def call(self, name: str, *durations_s: float):
        """-> a call that lasts the next of `durations_s`, the last from then on."""
        left = list(durations_s)

        def run():
            self.log.append(name)
            self.now_s += left.pop(0) if len(left) > 1 else left[0]

        return run


@pytest.fixture
def clock(monkeypatch):
    return Clock(monkeypatch)


def test_calls_take_turns(clock):
    samples = measure({"a": clock.call("a", 3e-3), "b": clock.call("b", 5e-3)}, seconds=0.5)
    assert samples["a"].median_s == pytest.approx(3e-3) and samples["b"].median_s == pytest.approx(5e-3)
    rounds = samples["a"].rounds
    assert rounds == samples["b"].rounds and clock.log[-4 * rounds :] == ["a", "a", "b", "b"] * rounds  # each is warmed up by itself
    assert rounds == pytest.approx(0.5 / 16e-3, abs=1)


def test_short_calls_are_repeated_within_a_sample(clock):
    measure({"a": clock.call("a", 1e-5)}, seconds=0.1)
    assert len(clock.log) >= MIN_ROUNDS * SAMPLE_S / 1e-5
    before = len(clock.log)
    measure({"b": clock.call("b", 0.0)}, seconds=0.0)  # a clock that cannot see it: neither for ever nor by division by nothing
    assert len(clock.log) - before < 2 + MIN_ROUNDS * SAMPLE_S / 1e-8


def test_rounds_have_a_floor_and_a_ceiling(clock):
    assert measure({"a": clock.call("a", 1.0)}, seconds=2)["a"].rounds == MIN_ROUNDS
    assert measure({"a": clock.call("a", 3e-3)}, seconds=1e3)["a"].rounds == MAX_ROUNDS


def test_the_median_and_the_quartiles_around_it(clock):
    """Warm-up does not count; an outlier moves neither."""
    timed = [3e-3 + 1e-4 * (i % 5) for i in range(MIN_ROUNDS - 1)] + [9.0]
    sample = measure({"a": clock.call("a", *[1.0] * 4, *timed)}, seconds=0)["a"]
    assert sample.quartiles_s == pytest.approx(statistics.quantiles(timed, n=4)) and sample.median_s == sample.quartiles_s[1]
    assert sorted(sample.quartiles_s) == list(sample.quartiles_s) and sample.quartiles_s[2] < 4e-3


def test_ratios_are_of_the_fastest_rounds(clock):
    """A neighbour slows most rounds, one of the two more than the other; the ratio stays."""
    dense, plan = ([base] * 4 + [base * (1 if i % 10 > 7 else factor) for i in range(2 * MIN_ROUNDS)] for base, factor in ((6e-3, 1.1), (3e-3, 1.4)))
    samples = measure({"plan": clock.call("plan", *plan), "dense": clock.call("dense", *dense)}, seconds=0)
    assert samples["plan"].over(samples["dense"]) == pytest.approx(0.5)


def test_real_time_passes():
    sample = measure({"nothing": lambda: sum(range(1000))}, seconds=0.05)["nothing"]
    assert 0 < sample.median_s < 1e-2
