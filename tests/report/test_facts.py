"""What measured times say."""

import pytest

from spcompile.report.facts import LEAST_NOISE, Measurement, Timing


def measurement(dense: Timing, plan: Timing) -> Measurement:
    return Measurement(dense, plan, "a host", 200, dense.fastest_s / plan.fastest_s)


def timing(fastest_s: float, median_s: float, spread: float = 1.05) -> Timing:
    return Timing(fastest_s, median_s, max(fastest_s, median_s / spread**0.5), median_s * spread**0.5)


@pytest.mark.parametrize(
    ("dense", "plan", "slower"),
    [
        (timing(0.0443, 0.046), timing(0.0306, 0.101), False),  # neighbours came while the plan had its turn
        (timing(0.04, 0.101), timing(0.044, 0.045), True),
        (timing(1, 1.1), timing(1 + LEAST_NOISE, 1.2), False),
        (timing(1, 1.1), timing(1.001 + LEAST_NOISE, 1.2), True),
    ],
)
def test_a_plan_is_slower_where_its_speed_up_says_so(dense, plan, slower):
    assert measurement(dense, plan).slower_than_dense == slower


@pytest.mark.parametrize(
    ("plan", "disturbed"),
    [(timing(1, 1.02), False), (timing(1, 1.25, 1.4), True), (timing(0.031, 0.101), True)],
    ids=["idle", "quartiles_apart", "median_far_from_the_fastest"],
)
def test_a_disturbed_run_shows_in_its_spread(plan, disturbed):
    assert measurement(timing(1, 1.02), plan).disturbed == disturbed
    assert measurement(plan, timing(1, 1.02)).disturbed == disturbed
