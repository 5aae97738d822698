"""A report on a terminal: the headline, a table of layers, refusals, what was checked, and what to beware of."""

from collections import defaultdict
from textwrap import fill

from rich.console import Console
from rich.table import Table
from rich.text import Text

from spcompile.report.accelerator_view import summary
from spcompile.report.facts import Accuracy, Calibration, Measurement, Verification
from spcompile.report.headline import cautions, headline, refusals
from spcompile.report.numbers import column_ms, count, milliseconds, percent, plural, significant
from spcompile.report.report import Report
from spcompile.report.rows import Row, rows, slowest_s
from spcompile.verdict import Verdict

FIGURES_WIDTH, REASON_WIDTH = 96, 60  # columns of a layer's line beside its name: shape, choice and numbers; the least for the reason
REASONS = 12  # told in full where they do not fit beside their layers


def show(report: Report, console: Console) -> None:
    """Print all of it."""
    show_headline(report, console)
    console.print()
    layers = rows(report)
    one_line = console.width >= max((len(row.name) for row in layers), default=0) + FIGURES_WIDTH + REASON_WIDTH
    console.print(_wide(layers) if one_line else _narrow(layers))
    for title, lines in _sections(report, layers, whys=not one_line):
        section(console, title, lines)
    if console.is_terminal:  # a long table has scrolled the first line away
        console.print()
        show_headline(report, console)


def show_headline(report: Report, console: Console) -> None:
    """The headline alone, green when all was kept, red when not."""
    console.print(Text(headline(report), style="bold green" if report.outcome else "bold red"), soft_wrap=True)


def layer_table(*columns: str, left: int = 1) -> Table:
    """An empty table whose first `left` columns are texts and the others numbers; nothing is ever cut off."""
    table = Table(box=None, header_style="bold", pad_edge=False, padding=(0, 2, 0, 0))
    for place, column in enumerate(columns):
        table.add_column(column, justify="left" if place < left else "right", overflow="fold", no_wrap=place > 0)
    return table


def _wide(layers: tuple[Row, ...]) -> Table:
    table = layer_table("layer", "rows x columns @ positions", "choice", "kept", "dense ms", "chosen ms", "share", "error", left=3)
    table.add_column("why", overflow="fold")
    for row, figures in zip(layers, _figures(layers), strict=True):
        table.add_row(Text(row.name), row.shape, _choice(row), percent(row.kept), *figures, Text(row.why))
    return table


def _narrow(layers: tuple[Row, ...]) -> Table:
    """Two lines a layer, for 80 columns: the shape under the name, the kept share under the choice."""
    table = layer_table("layer\nrows x columns @ positions", "choice\nkept", "dense\nms", "chosen\nms", "share", "error", left=2)
    for row, figures in zip(layers, _figures(layers), strict=True):
        name = Text.assemble(row.name, "\n", (row.shape, "dim"))
        table.add_row(name, Text.assemble(_choice(row), "\n", (percent(row.kept), "dim")), *figures)
    return table


def _choice(row: Row) -> Text:
    return Text(row.choice, style="" if row.chosen == row.dense else "cyan")


def _figures(layers: tuple[Row, ...]) -> list[tuple[str, ...]]:
    ms = column_ms(slowest_s(layers))
    return [(ms(row.dense_s), ms(row.chosen_s), f"{100 * row.share:.1f} %", f"{row.error:.2g}") for row in layers]


def _sections(report: Report, layers: tuple[Row, ...], whys: bool):
    if whys:
        yield "why", _whys(layers)
    yield "refused", refusals(report.plan)
    if report.accelerator is not None:
        yield "accelerator", summary(report.accelerator)
    yield "checked", tuple(_checks(report))
    yield "beware", cautions(report)
    yield "notes", (report.target.alias or f"{report.target.name}: {report.target.description}", *report.notes)


def section(console: Console, title: str, lines: tuple[str, ...]) -> None:
    """A heading and its lines as a list, wrapped to the console; nothing when there are none."""
    if not lines:
        return
    console.print(Text(f"\n{title}", style="bold yellow" if title == "beware" else "bold"))
    for line in lines:
        console.print(Text(fill(line, console.width, initial_indent=" - ", subsequent_indent="   ", break_on_hyphens=False)))


def _whys(layers: tuple[Row, ...]) -> tuple[str, ...]:
    """Layers with the same reason share a line; the slowest layers' reasons are told, in the network's order."""
    by_reason = defaultdict(list)
    for row in layers:
        by_reason[row.why].append(row)
    slowest = set(sorted(by_reason, key=lambda why: -sum(row.chosen_s for row in by_reason[why]))[:REASONS])
    left = sum(row.why not in slowest for row in layers)
    rest = (f"the other {plural(left, 'layer')}: in report.html and report.json, or here on a wider terminal",) if left else ()
    return (*(f"{', '.join(row.name for row in group)}: {why}" for why, group in by_reason.items() if why in slowest), *rest)


def _checks(report: Report):
    model, plan, check = report.model, report.plan, report.verification
    kept = percent(model.parameters_kept / model.parameters) if model.parameters else "none"
    yield f"weights {count(model.parameters)} -> {count(model.parameters_kept)} ({kept}), MACs {count(model.macs)} -> {count(model.macs_kept)}"
    yield f"what cannot be pruned takes {milliseconds(plan.fixed.expected_s)} of the {milliseconds(plan.latency.expected_s)}"
    if isinstance(check, Verification):
        inputs, sign = f"{check.random_inputs} random and {check.real_inputs} real inputs", "<=" if check.holds else ">"
        yield f"against {check.reference} on {inputs}, {check.where}: largest relative difference {check.worst_relative_difference:.2g} {sign} {check.limit:g}"
    for name, part, kind in (("comparison", check, Verification), ("measurement", report.measured, Measurement), ("accuracy", report.accuracy, Accuracy)):
        if not isinstance(part, kind):
            yield f"no {name}: {part.reason}"
    if isinstance(report.measured, Measurement):
        yield _measurement(report.measured)
    if not isinstance(report.calibration, Verdict):
        yield _calibration(report.calibration)
    yield f"took {sum(stage.wall_s for stage in report.stages):.1f} s, at most {count(report.peak_memory_bytes, 'B')} of memory"


def _measurement(measured: Measurement) -> str:
    dense, plan = measured.dense, measured.plan
    times = f"{milliseconds(dense.fastest_s)} dense, {milliseconds(plan.fastest_s)} plan, speed-up {significant(measured.speedup)}x undisturbed"
    spread = f"medians {milliseconds(dense.median_s)} and {milliseconds(plan.median_s)} of {plural(measured.repeats, 'round')}"
    return f"measured on {measured.host}: {times}; {spread}, the plan's quartiles {milliseconds(plan.low_s)} to {milliseconds(plan.high_s)}"


def _calibration(calibration: Calibration) -> str:
    return f"errors estimated with {plural(calibration.samples, 'sample')} of {calibration.source}"
