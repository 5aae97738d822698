import pytest
from hypothesis import given
from hypothesis import strategies as st

from spcompile.report.numbers import count, milliseconds, percent, plural, score, significant


@given(st.floats(1e-9, 1e12))
def test_three_digits_are_kept_and_no_exponent_is_written(value):
    text = significant(value)
    assert "e" not in text
    assert float(text) == pytest.approx(value, rel=0.0051)


@pytest.mark.parametrize(
    ("seconds", "text"), [(3e-3, "3 ms"), (0.0029, "2.9 ms"), (5.17e-5, "0.0517 ms"), (1.5, "1500 ms"), (9.996e-3, "10 ms"), (0.0, "0 ms")]
)
def test_milliseconds(seconds, text):
    assert milliseconds(seconds) == text


@pytest.mark.parametrize(("share", "text"), [(0.915, "91.5 %"), (1.0, "100 %"), (0.0, "0 %"), (0.9996, "100 %"), (0.00084, "0.084 %"), (-0.003, "-0.3 %")])
def test_percent(share, text):
    assert percent(share) == text


@pytest.mark.parametrize(("value", "text"), [(0, "0 B"), (950, "950 B"), (1_089_012, "1.09 MB"), (2.5e9, "2.5 GB"), (999_999, "1000 kB")])
def test_bytes_in_thousands(value, text):
    assert count(value, "B") == text


def test_counts_without_a_unit_end_without_a_space():
    assert [count(value) for value in (12, 269_722, 40_600_000)] == ["12", "270 k", "40.6 M"]


def test_scores_that_are_no_shares_keep_their_scale():
    assert score(0.912, "share") == "91.2 %"
    assert score(28.74, "score") == "28.74"


def test_plural():
    assert [plural(number, "layer") for number in (0, 1, 2)] == ["0 layers", "1 layer", "2 layers"]
