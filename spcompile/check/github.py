"""A result as annotations and as a step summary of GitHub Actions.

Source: docs.github.com, "Workflow commands for GitHub Actions": ::error title=...::message, with %, line ends and, in properties, : and , escaped.
"""

from spcompile.check.check import Result
from spcompile.check.compare import BETTER, KEPT, LIMIT, MISSED, SAME, WHOLE, WORSE, Finding
from spcompile.check.wording import change, sentence, spelled, title

ANNOTATIONS = 10  # of one kind that GitHub shows for a step; the summary has them all
MARKS = {WORSE: "❌", BETTER: "⬆️", SAME: "✅", KEPT: "✅", MISSED: "❌"}


def to_annotations(result: Result) -> str:
    """Workflow commands, one a line: errors for regressions, notices for what got better and for how it was compared."""
    worse = [command("error", title(finding), sentence(finding)) for finding in result.failures[:ANNOTATIONS]]
    better = [command("notice", title(finding), sentence(finding)) for finding in result.of(BETTER)[: ANNOTATIONS - 1]]
    notes = [command("notice", "spcompile check", "; ".join((result.headline, *result.notes)))]
    return "\n".join((*worse, *notes, *better)) + "\n"


def to_markdown(result: Result) -> str:
    """The step summary: the headline, a table of what counts, the notes."""
    rows = [finding for finding in result.findings if finding.place in (LIMIT, WHOLE) or finding.outcome != SAME]
    lines = ["| | place | figure | was / limit | is | change |", "|---|---|---|--:|--:|--:|", *map(_row, rows)]
    return "\n".join((f"### spcompile check: {cell(result.headline)}", "", *lines, "", *(f"- {cell(note)}" for note in result.notes), ""))


def _row(finding: Finding) -> str:
    values = (spelled(finding.figure, value) for value in (finding.was, finding.now))
    cells = (MARKS.get(finding.outcome, "➖"), finding.place, finding.figure.name, *values, change(finding))
    return "| " + " | ".join(map(cell, cells)) + " |"


def cell(text: str) -> str:
    """Nothing of a layer's name is taken for Markdown or HTML."""
    for mark in "\\`*_<>[]|":
        text = text.replace(mark, f"\\{mark}")
    return " ".join(text.split())


def command(kind: str, heading: str, message: str) -> str:
    heading, message = (text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A") for text in (heading, message))
    heading = heading.replace(":", "%3A").replace(",", "%2C")
    return f"::{kind} title={heading}::{message}"
