"""The plots of report.html: latency against error, time per layer, kept weights. Each returns one inline SVG."""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from matplotlib import rc_context
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from spcompile.report.accelerator_facts import AcceleratorFacts
from spcompile.report.facts import PlanPoint
from spcompile.report.numbers import count, milliseconds, percent
from spcompile.report.report import Report
from spcompile.report.rows import Row
from spcompile.report.svg import COLOURS, PALETTE, STYLE, to_svg

TALL, HALF = (11.2, 4.7), (5.1, 3.6)  # inches; 72 points of SVG each
SMALL_ERROR = 1e-6  # of the largest: below it plans are as good as harmless, and the axis keeps its room for the others


def pattern_roles(report: Report) -> dict[str, str]:
    """Notation of every pattern that the plan uses, and dense -> its colour's role, in order of appearance."""
    used = dict.fromkeys(entry.chosen.choice.pattern.notation for entry in report.plan.layers)
    others = [notation for notation in used if notation != "dense"]
    return {"dense": "dense"} | {notation: PALETTE[place % len(PALETTE)] for place, notation in enumerate(others)}


def frontier(report: Report) -> str:
    """Predicted latency against predicted error: plans found over budgets, the chosen one, dense, and one level everywhere."""
    plan = report.plan
    with _figure(HALF) as figure:
        axes = figure.subplots()
        points, best = sorted(report.frontier, key=lambda point: point.latency_s), least_harmful(report.uniform)
        axes.plot(*_xy(report.uniform), ls="", marker="^", ms=3.5, color=COLOURS["dense"], alpha=0.55, label="one choice everywhere")
        axes.plot(*_xy(best), ls=":", lw=1.4, marker="^", ms=5, color=COLOURS["c2"], label="the best of these")
        axes.plot(*_xy(points), lw=1.8, marker="o", ms=4, color=COLOURS["plan"], label="plans over budgets")
        dense_s, chosen_s = plan.dense_latency.expected_s, plan.latency.expected_s
        dense_error = sum(entry.dense.error for entry in plan.layers)
        axes.plot([dense_s * 1e3], [dense_error], "s", ms=8, color=COLOURS["dense"], label="dense", gid="dense", clip_on=False, zorder=3)
        axes.plot([chosen_s * 1e3], [plan.error], "o", ms=11, mfc="none", mew=2.2, color=COLOURS["ink"], label="chosen", gid="chosen")
        tooltips = {"dense": f"dense: {milliseconds(dense_s)}", "chosen": f"chosen: {milliseconds(chosen_s)}, error {plan.error:.2g}"}
        if plan.budget_s is not None:
            axes.axvline(plan.budget_s * 1e3, color=COLOURS["budget"], lw=1.6, ls="--", label="budget")
        _frame(axes, 1.12e3 * max(dense_s, plan.budget_s or 0, *(point.latency_s for point in points)), [plan.error, *(point.error for point in points)])
        return to_svg(figure, "frontier", "Predicted latency against predicted error of the plans found", tooltips)


def layer_bars(layers: tuple[Row, ...], roles: dict[str, str]) -> str:
    """Per layer: above, dense as a pale bar with the chosen option's time in its pattern's colour before it; below, the share of weights kept."""
    with _figure(TALL) as figure:
        times, kept = figure.subplots(2, sharex=True, height_ratios=(3, 2))
        tooltips = {}
        for row in layers:
            colour = COLOURS[roles[row.chosen.choice.pattern.notation]]
            times.bar(row.number, row.dense_s * 1e3, width=0.86, color=COLOURS["grid"])
            times.bar(row.number, row.chosen_s * 1e3, width=0.56, color=colour, gid=f"time{row.number}")
            kept.bar(row.number, 1, width=0.86, color=COLOURS["grid"])
            kept.bar(row.number, row.kept, width=0.86, color=colour, gid=f"kept{row.number}")
            tooltips[f"time{row.number}"] = f"{row.number} {row.name}: {row.choice}, dense {milliseconds(row.dense_s)}, chosen {milliseconds(row.chosen_s)}"
            tooltips[f"kept{row.number}"] = f"{row.number} {row.name}: {row.choice}, {percent(row.kept)} kept"
        times.set_ylabel("predicted ms")
        kept.set_ylabel("weights kept")
        kept.yaxis.set_major_formatter(PercentFormatter(1, decimals=0, symbol=" %"))
        kept.set_ylim(0, 1)
        figure.align_ylabels()
        _number_axis(times, kept, len(layers))
        return to_svg(figure, "layers", "Predicted time of each layer, dense and chosen, and the share of its weights kept", tooltips)


def density_histogram(report: Report) -> str:
    """How many weights are stored, and how many of them kept, in layers of each density; what several layers share is counted once."""
    edges = np.linspace(0, 1, 11)
    matrices = {entry.layer.weight: weights for entry, weights in zip(report.plan.layers, report.weights, strict=True)}.values()
    densities = [weights.density for weights in matrices]
    stored, _ = np.histogram(densities, edges, weights=[weights.stored for weights in matrices])
    kept, _ = np.histogram(densities, edges, weights=[weights.kept for weights in matrices])
    middles = (edges[:-1] + edges[1:]) / 2
    with _figure(HALF) as figure:
        axes = figure.subplots()
        axes.bar(middles, stored, width=0.09, color=COLOURS["grid"], label="stored when dense")
        axes.bar(middles, kept, width=0.09, color=COLOURS["plan"], label="kept")
        axes.set_xlabel("share of its weights that a layer keeps")
        axes.set_ylabel("weights in such layers")
        axes.set_xlim(0, 1)
        axes.xaxis.set_major_formatter(PercentFormatter(1, decimals=0, symbol=" %"))
        axes.yaxis.set_major_formatter(lambda value, _: count(value))
        axes.grid(axis="x", visible=False)
        figure.legend(loc="outside upper left", ncols=2, fontsize=9)
        return to_svg(figure, "histogram", "Weights stored and kept, by the density of their layer", {})


def roofline(facts: AcceleratorFacts) -> str:
    """Each step of the array: multiplications by weights that are not zero, per byte moved and per second, under what array and memory allow."""
    steps = [step for step in facts.steps if step.unit == "array" and step.macs_kept and step.moved_bytes]
    with _figure(TALL) as figure:
        axes, tooltips = figure.subplots(), {}
        intensities = [step.macs_kept / step.moved_bytes for step in steps]
        peak = facts.peak_macs_per_second
        ridge = peak / facts.memory_bytes_per_second
        reach = np.geomspace(min([ridge, *intensities]) / 2, max([ridge, *intensities]) * 2, 200)
        axes.loglog(reach, np.minimum(peak, reach * facts.memory_bytes_per_second) / 1e9, color=COLOURS["ink"], lw=1.6, label="array and memory")
        for number, (step, intensity) in enumerate(zip(steps, intensities, strict=True)):
            attained = step.macs_kept / step.latency_s
            colour = COLOURS["dense"] if step.packing == "dense" else COLOURS["plan"]
            axes.loglog([intensity], [attained / 1e9], "o", ms=6, color=colour, gid=f"step{number}")
            tooltips[f"step{number}"] = f"{step.name}: {step.packing}, {milliseconds(step.latency_s)}, {percent(facts.utilisation(step))} of the array"
        axes.set_xlabel("kept multiplications per byte moved")
        axes.set_ylabel("billions a second")
        return to_svg(figure, "roofline", "Roofline: each layer's kept multiplications per byte and per second under the limits of array and memory", tooltips)


@contextmanager
def _figure(size: tuple[float, float]) -> Iterator[Figure]:
    """A figure in the page's style; the style holds while it is drawn and written."""
    with rc_context(STYLE | {"svg.hashsalt": "spcompile"}):
        yield Figure(figsize=size, dpi=72, layout="constrained")


def least_harmful(points: tuple[PlanPoint, ...]) -> list[PlanPoint]:
    """Ascending in latency, those that no faster or equally fast one undercuts in error."""
    best: list[PlanPoint] = []
    for point in sorted(points, key=lambda point: (point.latency_s, point.error)):
        if not best or point.error < best[-1].error:
            best.append(point)
    return best


def _xy(points) -> tuple[list[float], list[float]]:
    return [point.latency_s * 1e3 for point in points], [point.error for point in points]


def _frame(axes, right_ms: float, errors: list[float]) -> None:
    """Errors span decades and start at zero for dense: logarithmic above the least one that matters, linear below."""
    positive = [error for error in errors if error > 0]
    largest = max(positive, default=1.0)
    least = min((error for error in positive if error > SMALL_ERROR * largest), default=1.0)
    axes.set_yscale("symlog", linthresh=10.0 ** np.floor(np.log10(least)), linscale=0.5)
    axes.set_ylim(0, 3 * largest)
    axes.set_xlim(0, right_ms)
    axes.set_xlabel("predicted latency, ms")
    axes.set_ylabel("predicted error")
    axes.figure.legend(loc="outside upper left", ncols=2, fontsize=9)


def _number_axis(upper, lower, layers: int) -> None:
    step = next((step for step in (1, 5, 10, 20, 50, 100) if layers / step <= 30), 200)
    lower.set_xticks([1, *range(step if step > 1 else 2, layers + 1, step)])
    lower.set_xlim(0.3, layers + 0.7)
    lower.set_xlabel("layer, in the order of the network")
    for axes in (upper, lower):
        axes.grid(axis="x", visible=False)
