import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spcompile.budget import Budget, parse_budget, parse_drop, parse_duration
from spcompile.errors import NotationError


@pytest.mark.parametrize(
    ("text", "latency_s"), [("3ms", 3e-3), ("250us", 250e-6), ("250µs", 250e-6), ("0.01s", 0.01), (" 3 ms ", 3e-3), (".5ms", 5e-4), ("2.s", 2.0)]
)
def test_times(text, latency_s):
    assert parse_budget(text).latency_s == pytest.approx(latency_s)
    assert parse_budget(text).limit_s(dense_s=99.0) == pytest.approx(latency_s)


@pytest.mark.parametrize(("text", "speedup"), [("2x", 2.0), ("1x", 1.0), ("0.5x", 0.5), ("1.25x", 1.25)])
def test_speedups_are_over_dense(text, speedup):
    assert parse_budget(text).speedup == speedup
    assert parse_budget(text).limit_s(dense_s=0.008) == pytest.approx(0.008 / speedup)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("3", "budget '3' has no unit"),
        ("-1ms", "budget '-1ms' is negative"),
        ("abc", "budget 'abc' is not a number with a unit"),
        ("", "budget '' is not a number with a unit"),
        ("0ms", "budget '0ms' is zero"),
        ("0x", "budget '0x' is zero"),
        ("3min", "budget '3min' has an unknown unit 'min'"),
        ("3 parsecs", "unknown unit 'parsecs'"),
        ("3MS", "unknown unit 'MS'"),
        ("1e-3s", "not a number with a unit"),
        ("nanms", "not a number with a unit"),
        ("3ms4", "not a number with a unit"),
        ("1.2.3ms", "not a number with a unit"),
        ("3\nqs", "unknown unit 'qs'"),
        ("9" * 400 + "ms", "not a number with a unit"),
    ],
)
def test_budgets_that_do_not_parse_say_what_is_allowed(text, reason):
    with pytest.raises(NotationError, match=re.escape(reason)) as refusal:
        parse_budget(text)
    assert "a budget is a time such as 3ms, 250us or 0.01s, or a speed-up over dense such as 2x" in str(refusal.value)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(("text", "drop"), [("1%", 0.01), ("0.5%", 0.005), ("0%", 0.0), ("12.5 %", 0.125)])
def test_drops(text, drop):
    assert parse_drop(text) == pytest.approx(drop)


@pytest.mark.parametrize(
    ("text", "reason"), [("1", "has no unit"), ("-1%", "is negative"), ("100%", "everything"), ("one", "not a number"), ("1ms", "unknown unit 'ms'")]
)
def test_drops_that_do_not_parse(text, reason):
    with pytest.raises(NotationError, match=f"accuracy drop '{re.escape(text)}' .*{reason}.*such as 1%"):
        parse_drop(text)


@pytest.mark.parametrize(("text", "duration_s"), [("30s", 30.0), ("10min", 600.0), ("1.5h", 5400.0)])
def test_durations(text, duration_s):
    assert parse_duration(text) == duration_s


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("10", "has no unit"),
        ("0min", "is zero"),
        ("0s", "is zero"),
        ("-1min", "is negative"),
        ("-3s", "is negative"),
        ("abc", "is not a number with a unit"),
        ("10m", "unknown unit 'm'"),
    ],
)
def test_durations_that_do_not_parse(text, reason):
    with pytest.raises(NotationError, match=f"duration '{text}' {reason}|duration '{text}' has an {reason}"):
        parse_duration(text)


@pytest.mark.parametrize(("parse", "what"), [(parse_budget, "budget"), (parse_drop, "accuracy drop"), (parse_duration, "duration")])
def test_a_bare_number_has_no_unit_either(parse, what):
    with pytest.raises(NotationError, match=rf"{what} 2\.0 is not text: .*(2x|1%|10min)"):
        parse(2.0)


@given(st.text(max_size=8))
def test_any_text_is_a_budget_or_one_clear_line(text):
    try:
        assert parse_budget(text).limit_s(dense_s=1.0) > 0
    except NotationError as refusal:
        assert len(str(refusal).splitlines()) == 1  # noqa: PT017


@pytest.mark.parametrize("limits", [{}, {"latency_s": 1.0, "speedup": 2.0}, {"latency_s": 0.0}, {"speedup": float("inf")}])
def test_a_budget_is_exactly_one_positive_limit(limits):
    with pytest.raises(AssertionError):
        Budget(**limits)
