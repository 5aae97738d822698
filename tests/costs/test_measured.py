"""Statistics of measuring, with a clock made by hand; one real measurement."""

import pytest

from spcompile.costs.measured import SAMPLE_S, measure


class Clock:
    """Stands still unless told how long a call took."""

    def __init__(self):
        self.now, self.calls = 0.0, 0

    def __call__(self):
        return self.now

    def taking(self, *durations):
        """A call that takes these times in turn, the last one ever after."""
        remaining = list(durations)

        def call():
            self.calls += 1
            self.now += remaining.pop(0) if len(remaining) > 1 else remaining[0]

        return call


def test_a_steady_call_is_measured_exactly():
    clock = Clock()
    (latency,) = measure([clock.taking(1e-5)], clock=clock)
    assert latency.expected_s == pytest.approx(1e-5) and latency.low_s == pytest.approx(latency.high_s)
    assert latency.basis == "measured"


def test_a_sample_is_as_many_calls_as_the_clock_needs():
    clock = Clock()
    measure([clock.taking(1e-6)], samples=3, clock=clock)
    assert clock.calls >= 3 * SAMPLE_S / 1e-6
    slow = Clock()
    measure([slow.taking(1.0)], samples=3, clock=slow)
    assert slow.calls == 4  # one to warm up, then one a sample


def test_a_slow_start_is_not_counted():
    clock = Clock()
    (latency,) = measure([clock.taking(1.0, 1e-2)], clock=clock)
    assert latency.high_s == pytest.approx(1e-2)


def test_the_median_shrugs_off_an_outlier_and_the_range_shows_it():
    clock = Clock()
    (latency,) = measure([clock.taking(1e-2, 1e-2, 9e-2, 1e-2)], samples=5, clock=clock)
    assert latency.expected_s == pytest.approx(1e-2) and latency.high_s == pytest.approx(9e-2)


def test_calls_are_interleaved():
    clock, order = Clock(), []

    def named(name):
        def call():
            order.append(name)
            clock.now += 1.0

        return call

    measure([named("a"), named("b")], samples=2, clock=clock)
    assert "".join(order) == "ab" * 3


def test_a_call_too_fast_for_the_clock_is_repeated_until_it_shows():
    clock = Clock()
    calls = 0

    def call():
        nonlocal calls
        calls += 1
        clock.now = calls // 1000 * 1e-3

    (latency,) = measure([call], samples=3, clock=clock)
    assert latency.expected_s == pytest.approx(1e-6, rel=0.5)


def test_real_work_takes_real_time():
    short, long = measure([lambda: sum(range(1000)), lambda: sum(range(20000))], samples=3)
    assert 0 < short.expected_s < long.expected_s
