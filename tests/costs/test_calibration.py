"""Scales are found again that times were made with; a part that no kernel shows keeps its rate."""

from dataclasses import replace

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from spcompile.costs.calibration import Observation, Scales, fit
from spcompile.kernels.work import Stream, Work
from spcompile.targets import load_target

PI4 = load_target("raspberry-pi-4")
INSTRUCTIONS = [Work(fma=1e6 * size, loads=3e5 * size) for size in (1, 3, 10)]
CACHES = [Work(fma=1e4 * size, streams=(Stream(3e6 * size, 64 << 10),)) for size in (1, 2, 5)]
MEMORY = [Work(fma=1e4, streams=(Stream(1e6 * size, 1 << 28),)) for size in (1, 4)]


def observed(works, scales, disturbed=1.0):
    """Times as on a device with these scales; the first one is disturbed."""
    device = scales.on(PI4)
    times = [Observation((work,), 0.0, 1.0).predicted_s(device, 1) for work in works]
    return [Observation((work,), 0.0, time * (disturbed if not at else 1.0)) for at, (work, time) in enumerate(zip(works, times, strict=True))]


@settings(max_examples=30)
@given(st.floats(0.5, 3), st.floats(0.5, 3), st.floats(0.5, 3))
@example(3.0, 0.5, 1.0)
def test_planted_scales_are_found_again(core, caches, memory):
    found = fit(observed(INSTRUCTIONS + CACHES + MEMORY, Scales(core, caches, memory)), PI4, 1)
    assert (found.core, found.caches, found.memory) == pytest.approx((core, caches, memory), rel=0.05)


def test_what_no_kernel_shows_keeps_its_rate():
    found = fit(observed(INSTRUCTIONS, Scales(1.5, 3.0, 3.0)), PI4, 1)
    assert (found.core, found.caches, found.memory) == pytest.approx((1.5, 1.0, 1.0), rel=0.02)


def test_one_disturbed_time_moves_little():
    found = fit(observed(INSTRUCTIONS * 3, Scales(1.2, 1.0, 1.0), disturbed=4.0), PI4, 1)
    assert found.core == pytest.approx(1.2, rel=0.1)


def test_a_program_takes_the_time_of_all_its_steps():
    both = Observation((*INSTRUCTIONS[:2],), 0.0, 1.0).predicted_s(PI4, 1)
    assert both == pytest.approx(sum(Observation((work,), 0.0, 1.0).predicted_s(PI4, 1) for work in INSTRUCTIONS[:2]))


def test_earlier_measurements_are_replaced_not_multiplied():
    before = replace(PI4, measured_core=5.0)
    assert Scales(2.0, 1.0, 1.0).on(before).measured_core == 2.0
