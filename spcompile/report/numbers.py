"""How figures are spelled, everywhere alike."""

from collections.abc import Callable
from math import floor, log10

from spcompile.costs.latency import Latency

PREFIXES = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"), (1.0, ""))


def significant(value: float, digits: int = 3) -> str:
    """Never an exponent: 0.0517, 2.9, 345, 12345.

    >>> [significant(value) for value in (0.05171, 2.9, 344.6, 12345.0, 0.0)]
    ['0.0517', '2.9', '345', '12345', '0']
    """
    if value == 0:
        return "0"
    decimals = max(0, digits - 1 - floor(log10(abs(value))))
    text = f"{value:.{decimals}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def milliseconds(seconds: float, digits: int = 3) -> str:
    """
    >>> milliseconds(0.0029), milliseconds(0.00005)
    ('2.9 ms', '0.05 ms')
    """
    return f"{significant(seconds * 1e3, digits)} ms"


def told_apart(one_s: float, other_s: float) -> tuple[str, str]:
    """Both in milliseconds, with as many digits as it takes to see which is more.

    >>> told_apart(0.0029, 0.0041), told_apart(0.0029001, 0.0029)
    (('2.9 ms', '4.1 ms'), ('2.9001 ms', '2.9 ms'))
    """
    spelled = ((milliseconds(one_s, digits), milliseconds(other_s, digits)) for digits in range(3, 17))
    return next(((one, other) for one, other in spelled if one != other), (milliseconds(one_s), milliseconds(other_s)))


def column_ms(slowest_s: float) -> Callable[[float], str]:
    """-> how a column of milliseconds is spelled: equal decimals, at least three, enough for three digits of its slowest time.

    >>> [column_ms(8.26e-3)(8.26e-3), column_ms(5.12e-5)(5.12e-5), column_ms(5.12e-5)(4e-7)]
    ['8.260', '0.0512', '0.0004']
    """
    decimals = min(6, max(3, 2 - floor(log10(slowest_s * 1e3)))) if slowest_s > 0 else 3
    return lambda seconds: f"{seconds * 1e3:.{decimals}f}"


def predicted(latency: Latency) -> str:
    """
    >>> predicted(Latency(0.0029, 0.0025, 0.0034, "analytic"))
    '2.9 ms (analytic, 2.5-3.4)'
    """
    return f"{milliseconds(latency.expected_s)} ({latency.basis}, {significant(latency.low_s * 1e3)}-{significant(latency.high_s * 1e3)})"


def percent(share: float) -> str:
    """
    >>> percent(0.915), percent(0.2), percent(0.00123)
    ('91.5 %', '20 %', '0.123 %')
    """
    return f"{significant(round(share * 100, 1) if abs(share) >= 0.01 else share * 100)} %"


def count(value: float, unit: str = "") -> str:
    """
    >>> count(269722), count(40_600_000, "MAC"), count(950, "B")
    ('270 k', '40.6 MMAC', '950 B')
    """
    size, prefix = next((entry for entry in PREFIXES if value >= entry[0]), PREFIXES[-1])
    return f"{significant(value / size)} {prefix}{unit}".rstrip()


def score(value: float, unit: str) -> str:
    """An accuracy in its unit: shares as per cent."""
    return percent(value) if unit == "share" else f"{value:.4g}"


def plural(number: int, noun: str) -> str:
    """
    >>> plural(1, "thread"), plural(1000, "sample")
    ('1 thread', '1,000 samples')
    """
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
