"""report.html: one file that needs nothing beside it, for screen and paper, light and dark."""

from dataclasses import dataclass

from spcompile.costs.latency import Latency
from spcompile.report import plots
from spcompile.report.accelerator_facts import AcceleratorFacts
from spcompile.report.accelerator_view import step_rows, summary
from spcompile.report.facts import Measurement
from spcompile.report.headline import cautions, headline, refusals
from spcompile.report.numbers import column_ms, count, milliseconds, percent, plural, score, significant
from spcompile.report.report import Report
from spcompile.report.rows import Row, rows, slowest_s


@dataclass(frozen=True)
class Bar:
    """A time on the scale of the budget bar; its range is drawn as a whisker."""

    name: str
    kind: str  # CSS class: "dense" or "plan"
    time_s: float
    low_s: float
    high_s: float
    basis: str

    @property
    def label(self) -> str:
        return f"{milliseconds(self.time_s)}, {significant(self.low_s * 1e3)} to {significant(self.high_s * 1e3)}, {self.basis}"


def render(report: Report) -> str:
    """-> the text of report.html (UTF-8)."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(loader=PackageLoader("spcompile.report"), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    spelled = {"ms": milliseconds, "percent": percent, "count": count, "significant": significant, "plural": plural}
    environment.filters.update({name: _unbroken(spell) for name, spell in spelled.items()})
    return environment.get_template("report.html.j2").render(_page(report))


def _unbroken(spell):
    """A figure and its unit stay on one line."""
    return lambda *given: spell(*given).replace(" ", "\N{NO-BREAK SPACE}")


def _page(report: Report) -> dict:
    layers, roles, bars, plan = rows(report), plots.pattern_roles(report), _bars(report), report.plan
    met = report.goal_met
    return {
        "report": report,
        "plan": plan,
        "met": met,
        "badge": _badge(report, met),
        "speedup": significant(plan.dense_latency.expected_s / plan.latency.expected_s),
        "slowest_s": slowest_s(layers),
        "column_ms": column_ms(slowest_s(layers)),
        "title": f"{report.model.name} on {report.target.name}",
        "headline": headline(report).replace("->", "→"),
        "cautions": cautions(report),
        "refusals": refusals(plan),
        "rows": layers,
        "roles": roles,
        "patterns": dict.fromkeys(row.chosen.choice.pattern.notation for row in layers),
        "bars": bars,
        "scale_s": 1.04 * max([plan.budget_s or 0.0, *(bar.high_s for bar in bars)]),
        "frontier": plots.frontier(report),
        "histogram": plots.density_histogram(report),
        "layer_bars": plots.layer_bars(layers, roles),
        "alternatives": alternatives,
        "accelerator": report.accelerator and _accelerator(report.accelerator),
        "score": score,
    }


def _accelerator(facts: AcceleratorFacts) -> dict:
    return {"lines": summary(facts), "rows": step_rows(facts), "roofline": plots.roofline(facts)}


def _badge(report: Report, met: bool) -> str:
    if not report.outcome:
        return "regression" if met else "not met"
    return "budget met" if report.request.budget is not None else "allowed drop kept" if report.request.max_drop is not None else "done"


def alternatives(row: Row) -> list[tuple[str, list]]:
    """The options of one layer, grouped by pattern in the order offered."""
    groups: dict[str, list] = {}
    for option in row.options:
        groups.setdefault(option.choice.pattern.notation, []).append(option)
    return list(groups.items())


def _bars(report: Report) -> list[Bar]:
    plan, measured = report.plan, report.measured
    bars = [_predicted("dense", "dense", plan.dense_latency), _predicted("plan", "plan", plan.latency)]
    if isinstance(measured, Measurement):
        timings = ("dense", measured.dense), ("plan", measured.plan)
        bars += [Bar(f"{kind}, measured", kind, timing.median_s, timing.low_s, timing.high_s, "median and quartiles") for kind, timing in timings]
    return bars


def _predicted(name: str, kind: str, latency: Latency) -> Bar:
    return Bar(f"{name}, predicted", kind, latency.expected_s, latency.low_s, latency.high_s, latency.basis)
