"""A result for a terminal: the headline, the whole model's figures, and every layer that differs."""

from io import StringIO

from rich.console import Console
from rich.table import Table
from rich.text import Text

from spcompile.check.check import Result
from spcompile.check.compare import BETTER, KEPT, LIMIT, MISSED, SAME, SKIPPED, WHOLE, WORSE, Finding
from spcompile.check.figures import LATENCY
from spcompile.check.wording import change, spelled, title
from spcompile.report.terminal import layer_table, section

STYLES = {WORSE: "bold red", BETTER: "green", SAME: "", SKIPPED: "dim", KEPT: "", MISSED: "bold red"}
WIDTH = 200  # in a file


def to_text(result: Result) -> str:
    """Plain, for a file."""
    stream = StringIO()
    show(result, Console(file=stream, width=WIDTH, highlight=False))
    return stream.getvalue()


def show(result: Result, console: Console) -> None:
    """Print all of it."""
    console.print(Text(result.headline, style=STYLES[WORSE if result.failures else BETTER]), soft_wrap=True)
    console.print()
    console.print(_table([finding for finding in result.findings if finding.place in (LIMIT, WHOLE) or finding.outcome != SAME]))
    section(console, "notes", (*_reasons(result), *result.notes))


def _table(findings: list[Finding]) -> Table:
    table = layer_table("place", "figure", "was / limit", "is", "change", left=2)
    table.add_column("outcome")
    for finding in findings:
        values = (spelled(finding.figure, value) for value in (finding.was, finding.now))
        outcome = Text(finding.outcome, style=STYLES[finding.outcome])
        table.add_row(Text(finding.place), finding.figure.name, *values, change(finding), outcome)
    return table


def _reasons(result: Result):
    """Of all but the measured time, which has a note of its own."""
    for finding in result.findings:
        if finding.reason and finding.figure != LATENCY:
            yield f"{title(finding)}: {finding.reason}"
