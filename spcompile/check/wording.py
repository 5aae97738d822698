"""How figures and findings are told, in every form alike."""

from spcompile.check.compare import SKIPPED, Finding
from spcompile.check.figures import ACCURACY, LATENCY, Figure
from spcompile.report.numbers import milliseconds


def spelled(figure: Figure, value: float | None) -> str:
    """
    >>> spelled(LATENCY, 0.00291), spelled(ACCURACY, 0.915), spelled(Figure("macs", "MAC", ""), 3211264.0), spelled(LATENCY, None)
    ('2.91 ms', '0.9150', '3,211,264 MAC', '-')
    """
    if value is None:
        return "-"
    if figure is LATENCY:
        return milliseconds(value)
    if figure is ACCURACY:
        return f"{value:.4f}"
    return f"{value:,.0f} {figure.unit}"


def change(finding: Finding) -> str:
    """Signed, of what it was: "+2.1 %"; empty where there is none to tell."""
    return f"{finding.change:+.1%}".replace("%", " %") if finding.change is not None else ""


def title(finding: Finding) -> str:
    return f"{finding.figure.name} of {finding.place}"


def sentence(finding: Finding) -> str:
    """A finding in one line, without its title."""
    if finding.outcome == SKIPPED:
        return f"not compared: {finding.reason}"
    allowed = f"allowed {finding.tolerance:.1%}" + (f": {finding.reason}" if finding.reason else "")
    told = " ".join(part for part in (spelled(finding.figure, finding.was), "->", spelled(finding.figure, finding.now), change(finding)) if part)
    return f"{finding.outcome}: {told} ({allowed})"
