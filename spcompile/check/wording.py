"""How figures and findings are told, in every form alike."""

from spcompile.check.compare import LIMIT, SKIPPED, Finding
from spcompile.check.figures import DIFFERENCE, Figure
from spcompile.report.numbers import milliseconds


def spelled(figure: Figure, value: float | None) -> str:
    """
    >>> spelled(Figure("latency_s", "s", ""), 0.00291), spelled(Figure("accuracy", "", ""), 0.915), spelled(Figure("macs", "MAC", ""), 3211264.0)
    ('2.91 ms', '0.9150', '3,211,264 MAC')
    """
    if value is None:
        return "-"
    if figure.unit == "s":
        return milliseconds(value)
    if figure == DIFFERENCE:
        return f"{value:.1g}"
    if not figure.unit:
        return f"{value:.4f}"
    return f"{value:,.0f} {figure.unit}"


def change(finding: Finding) -> str:
    """Signed, of what it was: "+2.1 %"; empty where there is none to tell."""
    return f"{finding.change:+.1%}".replace("%", " %") if finding.change is not None else ""


def title(finding: Finding) -> str:
    """Which figure of what."""
    return finding.figure.name if finding.place == LIMIT else f"{finding.figure.name} of {finding.place}"


def sentence(finding: Finding) -> str:
    """A finding in one line, without its title."""
    if finding.outcome == SKIPPED:
        return f"not compared: {finding.reason}"
    if finding.place == LIMIT:
        return f"{finding.outcome}: {spelled(finding.figure, finding.now)}, the limit is {spelled(finding.figure, finding.was)} ({finding.reason})"
    allowed = f"allowed {finding.tolerance:.1%}" + (f": {finding.reason}" if finding.reason else "")
    told = " ".join(part for part in (spelled(finding.figure, finding.was), "->", spelled(finding.figure, finding.now), change(finding)) if part)
    return f"{finding.outcome}: {told} ({allowed})"
