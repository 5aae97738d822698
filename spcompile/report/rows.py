"""A layer as a line of a table: the same figures on terminal and page."""

from dataclasses import dataclass

from spcompile.ir.layer import Layer
from spcompile.plan import LayerPlan, Option, summed
from spcompile.report.report import Report
from spcompile.shortened import shortened


@dataclass(frozen=True)
class Row:
    """One layer, or all that share a weight: a recurrent layer's steps. Times are predicted; `share` is the part of the plan's whole time spent here."""

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
    """One Row for each weight of the plan, in the order of the network."""
    whole_s, by_weight = report.plan.latency.expected_s, {}
    for entry, weights in zip(report.plan.layers, report.weights, strict=True):
        by_weight.setdefault(entry.layer.weight, []).append((entry, weights.density))
    return tuple(_row(number, [entry for entry, _ in users], users[0][1], whole_s) for number, users in enumerate(by_weight.values(), 1))


def _row(number: int, users: list[LayerPlan], density: float, whole_s: float) -> Row:
    """users: all layers of one weight."""
    options = summed(entry.options for entry in users)
    dense, chosen = options[0], options[users[0].options.index(users[0].chosen)]
    dense_s, chosen_s = dense.latency.expected_s, chosen.latency.expected_s
    name = shortened([entry.layer.name for entry in users], most=1)
    figures = density, dense_s, chosen_s, chosen_s / whole_s if whole_s else 0.0, chosen.error
    return Row(number, name, _shapes(users), chosen.choice.notation, *figures, users[0].why, dense, chosen, options)


def _shapes(users: list[LayerPlan]) -> str:
    shapes = dict.fromkeys(shape(entry.layer) for entry in users)
    return ", ".join(shapes) + (f", {len(users)} times" if len(users) > 1 else "")


def slowest_s(layers: tuple[Row, ...]) -> float:
    """The longest dense time: the scale of columns and bars."""
    return max((row.dense_s for row in layers), default=0.0)


def shape(layer: Layer) -> str:
    """rows x columns @ positions, "64x576 @ 3136"; groups are told."""
    groups = f", {layer.groups} groups" if layer.groups > 1 else ""
    return f"{layer.rows}x{layer.columns} @ {layer.positions}{groups}"
