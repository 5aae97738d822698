"""What came out for all models of a project, in every form: one summary, then each model's own result."""

import json
from collections.abc import Callable, Mapping, Sequence
from io import StringIO
from xml.etree.ElementTree import Element, SubElement

from rich.console import Console
from rich.text import Text

from spcompile.check.compare import LIMIT
from spcompile.check.figures import BUDGET, DROP, FLOOR, Figure
from spcompile.check.github import cell, command
from spcompile.check.github import to_markdown as one_to_markdown
from spcompile.check.json_form import SCHEMA, to_json
from spcompile.check.junit import add_suite, written
from spcompile.check.project import Outcome
from spcompile.check.text import STYLES, WIDTH
from spcompile.check.text import show as show_one
from spcompile.check.wording import sentence, spelled, title
from spcompile.report.numbers import plural
from spcompile.report.terminal import layer_table

COLUMNS = ("model", "target", "budget", "takes", "accuracy", "against", "outcome")
MISTAKE = "mistake"
ORDER = ("fine", "limit missed", "regression", MISTAKE)  # the last that occurs is what the whole is called
TOLD = 3  # figures that an annotation names; the summary has them all


def word(outcome: Outcome) -> str:
    """One of ORDER."""
    return outcome.result.outcome if outcome.result is not None else MISTAKE


def headline(outcomes: Sequence[Outcome]) -> str:
    """How many models are what, in one sentence."""
    found = [word(outcome) for outcome in outcomes]
    asked = sum(outcome.result is not None and outcome.result.asks_for_baseline for outcome in outcomes)
    counts = ", ".join(f"{found.count(kind)} {kind}" for kind in ORDER if kind in found)
    return f"{plural(len(outcomes), 'model')}: {counts}" + (f"; {asked} better, write new baselines with --update" if asked else "")


def show(outcomes: Sequence[Outcome], console: Console) -> None:
    """The summary table; below it the results of those that something is to be said about."""
    console.print(Text(headline(outcomes), style=STYLES["better"] if _worst(outcomes) == "fine" else STYLES["worse"]), soft_wrap=True)
    console.print()
    table = layer_table(*COLUMNS, left=2)
    for outcome in outcomes:
        table.add_row(*map(Text, _cells(outcome)))
    console.print(table)
    for outcome in outcomes:
        if outcome.result is not None and (outcome.result.failures or outcome.result.asks_for_baseline):
            console.print(Text(f"\n{outcome.model.name}: ", style="bold"), end="")
            show_one(outcome.result, console)


def _worst(outcomes: Sequence[Outcome]) -> str:
    return max(map(word, outcomes), key=ORDER.index)


def _cells(outcome: Outcome) -> tuple[str, ...]:
    budget, floor, drop = (_limit(outcome, figure) for figure in (BUDGET, FLOOR, DROP))
    accuracy = "; ".join(part for part in (f"{floor[1]}, at least {floor[0]}" if floor else "", f"-{drop[1]}, at most -{drop[0]}" if drop else "") if part)
    against = outcome.model.baseline.name if outcome.model.baseline else "-"
    return (outcome.model.name, outcome.target, *(budget or ("-", "-")), accuracy or "-", against, word(outcome))


def _limit(outcome: Outcome, figure: Figure) -> tuple[str, str] | None:
    """(the limit, what it is), as they are spelled."""
    found = [finding for finding in (outcome.result.findings if outcome.result else ()) if finding.place == LIMIT and finding.figure == figure]
    return (spelled(figure, found[0].was), spelled(figure, found[0].now)) if found else None


def _text(outcomes: Sequence[Outcome]) -> str:
    stream = StringIO()
    show(outcomes, Console(file=stream, width=WIDTH, highlight=False))
    return stream.getvalue()


def _json(outcomes: Sequence[Outcome]) -> str:
    models = [
        {"model": outcome.model.name, "target": outcome.target}
        | ({"outcome": MISTAKE, "headline": outcome.mistake} if outcome.result is None else {k: v for k, v in to_json(outcome.result).items() if k != "schema"})
        for outcome in outcomes
    ]
    form = {"schema": SCHEMA, "outcome": _worst(outcomes), "headline": headline(outcomes), "models": models}
    return json.dumps(form, indent=1, allow_nan=False, ensure_ascii=False) + "\n"


def _junit(outcomes: Sequence[Outcome]) -> str:
    suites = Element("testsuites")
    for outcome in outcomes:
        name = f"spcompile check {outcome.model.name}"
        if outcome.result is not None:
            add_suite(suites, name, outcome.result)
            continue
        suite = SubElement(suites, "testsuite", {"name": name, "tests": "1", "failures": "0", "errors": "1", "skipped": "0"})
        case = SubElement(suite, "testcase", {"classname": f"spcompile.{outcome.model.name}", "name": "check"})
        SubElement(case, "error", {"message": outcome.mistake, "type": MISTAKE})
    return written(suites)


def _annotations(outcomes: Sequence[Outcome]) -> str:
    """An error for every model that is not fine, with the first of its figures; one notice for all."""
    lines = []
    for outcome in outcomes:
        found = outcome.result.failures[:TOLD] if outcome.result is not None else ()
        told = "; ".join((outcome.mistake or outcome.result.headline, *(f"{title(finding)} {sentence(finding)}" for finding in found)))
        if word(outcome) != "fine":
            lines.append(command("error", f"spcompile check {outcome.model.name}", told))
    return "\n".join((*lines, command("notice", "spcompile check", headline(outcomes)))) + "\n"


def to_markdown(outcomes: Sequence[Outcome]) -> str:
    """Markdown: the table of all models, then each result."""
    rows = ["| " + " | ".join(map(cell, _cells(outcome))) + " |" for outcome in outcomes]
    head = f"| {' | '.join(COLUMNS)} |", "|" + "---|" * len(COLUMNS)
    each = [f"#### {cell(o.model.name)}\n\n{one_to_markdown(o.result) if o.result is not None else cell(o.mistake)}" for o in outcomes]
    return "\n".join((f"### spcompile check: {headline(outcomes)}", "", *head, *rows, "", *each, ""))


RENDERERS: Mapping[str, Callable[[Sequence[Outcome]], str]] = {"text": _text, "json": _json, "junit": _junit, "github": _annotations}
