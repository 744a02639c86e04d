"""Charts as small SVG files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

from .result import Bars, Lines, number

COLOURS = {"ours": "#2a6fbb", "stock": "#c0504d", "bare": "#8a8a8a"}
STYLE: Any = {
    "svg.fonttype": "none",
    "svg.hashsalt": "visdom-transport",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
}


def colour(label: str) -> str:
    """The same contender has the same colour in every chart."""
    return next((COLOURS[name] for name in ("bare", "ours", "stock") if label.startswith(name)), COLOURS["ours"])


def draw(chart: Lines | Bars, path: Path) -> None:
    """Write ``chart`` to ``path`` as SVG."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(6.4, 3.2 if isinstance(chart, Lines) else 0.9 + 0.34 * len(chart.values)), layout="constrained")
        axes = figure.add_subplot()
        axes.set_title(chart.title, loc="left", fontsize=10)
        if isinstance(chart, Lines):
            for label, points in chart.series.items():
                x, y = zip(*points, strict=True)
                axes.loglog(x, y, marker="o", markersize=4, label=label, color=colour(label))
            axes.set_xlabel(chart.x_label)
            axes.set_ylabel(chart.y_label)
            axes.grid(visible=True, which="major", linewidth=0.4, alpha=0.5)
            axes.legend(frameon=False)
        else:
            labels, values = list(chart.values), list(chart.values.values())
            bars = axes.barh(labels, values, color=[colour(label) for label in labels], log=chart.log)
            axes.bar_label(bars, [number(value) for value in values], padding=3)
            axes.invert_yaxis()
            axes.margins(x=0.15)
            axes.set_xlabel(chart.y_label)
        figure.savefig(path, format="svg", metadata={"Date": None, "Creator": None})
