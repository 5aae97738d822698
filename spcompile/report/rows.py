"""A layer as a line of a table: the same figures on terminal and page."""

from dataclasses import dataclass

from spcompile.ir.layer import Layer
from spcompile.plan import LayerPlan, Option
from spcompile.report.report import Report


@dataclass(frozen=True)
class Row:
    """Times are predicted; `share` is the part of the plan's whole time spent here."""

    number: int  # from 1, in the order of the network
    name: str
    shape: str
    choice: str
    kept: float  # share of the stored weights
    dense_s: float
    chosen_s: float
    share: float
    error: float
    why: str
    dense: Option
    chosen: Option
    options: tuple[Option, ...]

    @property
    def speedup(self) -> float:
        return self.dense_s / self.chosen_s if self.chosen_s else 1.0


def rows(report: Report) -> tuple[Row, ...]:
    """One Row for each layer of the plan, in its order."""
    whole_s = report.plan.latency.expected_s
    pairs = zip(report.plan.layers, report.weights, strict=True)
    return tuple(_row(number, entry, weights.density, whole_s) for number, (entry, weights) in enumerate(pairs, 1))


def _row(number: int, entry: LayerPlan, density: float, whole_s: float) -> Row:
    dense_s, chosen_s = entry.dense.latency.expected_s, entry.chosen.latency.expected_s
    share = chosen_s / whole_s if whole_s else 0.0
    name, figures = entry.layer.name, (density, dense_s, chosen_s, share, entry.chosen.error)
    return Row(number, name, shape(entry.layer), entry.chosen.choice.notation, *figures, entry.why, entry.dense, entry.chosen, entry.options)


def slowest_s(layers: tuple[Row, ...]) -> float:
    """The longest dense time: the scale of columns and bars."""
    return max((row.dense_s for row in layers), default=0.0)


def shape(layer: Layer) -> str:
    """rows x columns @ positions, "64x576 @ 3136"; groups are told."""
    groups = f", {layer.groups} groups" if layer.groups > 1 else ""
    return f"{layer.rows}x{layer.columns} @ {layer.positions}{groups}"
