"""Predicted against measured times as plots for docs/cost-models.md.

    python benchmarks/cost_models.py --json models.json
    python benchmarks/plot_predictions.py models.json [--folder docs/figures]

A file holds, by title, points [group, predicted seconds, measured seconds]; each title becomes a picture.
"""

import argparse
import json
import re
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np

from spcompile.costs.cpu import HIGH, LOW

GREY = "0.75"


def plot(title: str, points: list[tuple[str, float, float]], path: Path) -> None:
    """Both axes in ms; the diagonal, and beside it the range that predictions state."""
    times = 1e3 * np.array([point[1:] for point in points])
    ends = np.array([times.min() / 1.3, times.max() * 1.3])
    figure, axes = plt.subplots(figsize=(4.6, 4.2), dpi=110, layout="constrained")
    axes.fill_between(ends, ends * LOW, ends * HIGH, color=GREY, alpha=0.4, linewidth=0, label=f"range stated, {LOW} to {HIGH}")
    axes.plot(ends, ends, color=GREY, linewidth=1)
    for group in dict.fromkeys(point[0] for point in points):
        own = times[[point[0] == group for point in points]]
        axes.scatter(own[:, 0], own[:, 1], s=9, alpha=0.8, linewidth=0, label=group)
    axes.set(xscale="log", yscale="log", xlim=ends, ylim=ends, xlabel="predicted, ms", ylabel="measured, ms", title=title)
    axes.legend(fontsize=7, frameon=False)
    figure.savefig(path)
    plt.close(figure)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--folder", type=Path, default=Path(__file__).parents[1] / "docs" / "figures")
    args = parser.parse_args()
    args.folder.mkdir(parents=True, exist_ok=True)
    for file in args.files:
        for title, points in json.loads(file.read_text()).items():
            path = args.folder / f"{re.sub('[^a-z0-9]+', '-', title.lower()).strip('-')}.png"
            plot(title, points, path)
            print(f"{path}: {len(points)} points, {path.stat().st_size >> 10} KB")


if __name__ == "__main__":
    main()
