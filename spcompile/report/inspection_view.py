"""An Inspection on a terminal and as JSON."""

from dataclasses import asdict, replace
from fnmatch import fnmatchcase

from rich.console import Console
from rich.table import Table
from rich.text import Text

from spcompile.report.headline import device, refusal_lines
from spcompile.report.inspection import Inspection, LayerInspection
from spcompile.report.numbers import column_ms, milliseconds, percent, significant
from spcompile.report.rows import shape
from spcompile.report.terminal import layer_table, section

SCHEMA = 1  # of `spcompile inspect --json`
LEVELS = (0.3, 0.5, 0.6, 0.7, 0.75, 0.8, 0.9, 0.95)  # shares of zeros shown for the whole network


def show_summary(inspection: Inspection, console: Console) -> None:
    """Per layer and pattern, the sparsity from which on it pays and what the highest level brings; then one level everywhere."""
    where = device(inspection.target, inspection.threads)
    console.print(Text(f"{inspection.model} on {where}: {milliseconds(inspection.dense_s)} dense", style="bold"))
    fixed = f"{milliseconds(inspection.fixed.expected_s)} of it cannot be pruned" if inspection.layers else "no layer can be pruned"
    console.print(f"{fixed}. Times are predicted; nothing is pruned.\n")
    if inspection.patterns:
        console.print("[bold]Pays from this share of zeros on, and the gain at its highest level[/bold]", highlight=False)
    for patterns in _pages(inspection.patterns, console.width):
        console.print(_crossovers(inspection, patterns))
    section(console, "refused", refusal_lines([(entry.layer.name, entry.refusals) for entry in inspection.layers]))
    if inspection.patterns:
        console.print("\n[bold]The whole network in ms, with about this share of zeros wherever it fits[/bold]", highlight=False)
        console.print(_whole(inspection))


def narrowed(inspection: Inspection, wanted: str) -> Inspection:
    """To the layers whose names match the shell pattern `wanted`."""
    return replace(inspection, layers=tuple(entry for entry in inspection.layers if fnmatchcase(entry.layer.name, wanted)))


def show_layers(inspection: Inspection, console: Console) -> None:
    """Every level of every pattern."""
    for entry in inspection.layers:
        console.print(Text(f"\n{entry.layer.name}, {shape(entry.layer)}: {milliseconds(entry.dense.expected_s)} dense ({entry.dense.basis})", style="bold"))
        console.print(_levels(entry))
        section(console, "refused", tuple(f"{refusal.pattern}: {refusal.reason}" for refusal in entry.refusals))


def to_json(inspection: Inspection) -> dict:
    """Times in seconds; `crossover` is a share of zeros, null where the pattern never beats dense."""
    return {
        "schema": SCHEMA,
        "model": inspection.model,
        "target": asdict(inspection.target),
        "threads": inspection.threads,
        "fixed": asdict(inspection.fixed),
        "layers": [_layer_to_json(entry) for entry in inspection.layers],
    }


def _layer_to_json(entry: LayerInspection) -> dict:
    choices = [{"choice": option.choice.notation, "sparsity": option.choice.sparsity, "latency": asdict(option.latency)} for option in entry.options]
    notations = dict.fromkeys(option.choice.pattern.notation for option in entry.options)
    crossovers = {notation: choice.sparsity if (choice := entry.crossover(notation)) else None for notation in notations}
    refusals = [asdict(refusal) for refusal in entry.refusals]
    return {"layer": asdict(entry.layer), "dense": asdict(entry.dense), "options": choices, "crossovers": crossovers, "refusals": refusals}


def _pages(patterns: tuple[str, ...], width: int) -> list[tuple[str, ...]]:
    """As many pattern columns as fit beside the names; the rest in further tables."""
    room = max(1, (width - 36) // 14)
    return [patterns[start : start + room] for start in range(0, len(patterns), room)]


def _crossovers(inspection: Inspection, patterns: tuple[str, ...]) -> Table:
    table = layer_table("layer", "dense ms", *patterns)
    ms = column_ms(max((entry.dense.expected_s for entry in inspection.layers), default=0.0))
    for entry in inspection.layers:
        table.add_row(Text(entry.layer.name), ms(entry.dense.expected_s), *(_crossover(entry, pattern) for pattern in patterns))
    return table


def _crossover(entry: LayerInspection, pattern: str) -> Text:
    options = entry.of_pattern(pattern)
    if not options:
        return Text("refused", style="dim")
    gain = f"{entry.dense.expected_s / options[-1].latency.expected_s:.1f}x"
    choice = entry.crossover(pattern)
    return Text(f"{percent(choice.sparsity)}, {gain}", style="green") if choice else Text(f"never, {gain}", style="red")


def _whole(inspection: Inspection) -> Table:
    table = layer_table("pattern", *(percent(level) for level in LEVELS))
    for pattern in inspection.patterns:
        times = [inspection.whole_s(pattern, level) for level in LEVELS]
        if any(time_s is not None for time_s in times):
            table.add_row(pattern, *(_whole_cell(time_s, inspection.dense_s) for time_s in times))
    return table


def _whole_cell(time_s: float | None, dense_s: float) -> Text:
    if time_s is None:
        return Text("-", style="dim")
    return Text(significant(time_s * 1e3), style="green" if time_s < dense_s else "red")


def _levels(entry: LayerInspection) -> Table:
    table = layer_table("choice", "ms", "range ms", "against dense")
    ms = column_ms(entry.dense.expected_s)
    for option in entry.options:
        latency, gain = option.latency, entry.dense.expected_s / option.latency.expected_s
        span = f"{ms(latency.low_s)}-{ms(latency.high_s)}"
        table.add_row(option.choice.notation, ms(latency.expected_s), span, Text(f"{gain:.2f}x", style="green" if gain > 1 else "red"))
    return table
