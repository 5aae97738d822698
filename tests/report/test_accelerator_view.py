import pytest

from spcompile.report.accelerator_view import step_rows, summary


def test_steps_that_take_time_with_what_bounds_them(samples):
    rows = step_rows(samples.accelerator())
    assert [(row.name, row.unit, row.packing, row.bound) for row in rows] == [
        ("first", "array", "dense", "start"),
        ("second", "array", "2 of 8", "memory"),
        ("odd", "host", "", ""),
    ]
    assert rows[1].utilisation == pytest.approx(500_000 / (3000 * 1024)) and rows[2].utilisation is None


def test_the_sentences_count_the_host_and_the_need(samples):
    first, array, need, host = summary(samples.accelerator())
    assert first == "0.285 ms simulated: 0.2 ms for the call, 0.06 ms for 1 operator on the host, the rest on the accelerator"
    assert array == "the array multiplies 18.6 % of what it could by weights that are not zero, and waits for memory 50 % of its steps' time"
    assert need.startswith("needs about 576 of 6.84 k DSP blocks") and "Sigmoid" in host
