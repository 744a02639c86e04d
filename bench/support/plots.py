"""Charts as small SVG files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

from .result import Bars, Lines, Panels, number

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


def draw(chart: Lines | Bars | Panels, path: Path) -> None:
    """Write ``chart`` to ``path`` as SVG."""
    with mpl.rc_context(STYLE):
        if isinstance(chart, Panels):
            save(panels(chart), path)
            return
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
        save(figure, path)


def panels(chart: Panels) -> Figure:
    """Each with an axis of its own that begins at zero, so that what grows is seen to grow."""
    figure = Figure(figsize=(6.4, 0.6 + 0.9 * len(chart.series)), layout="constrained")
    figure.suptitle(chart.title, x=0.02, ha="left", fontsize=10)
    every = figure.subplots(len(chart.series), sharex=True)
    for axes, (label, points) in zip(every, chart.series.items(), strict=True):
        x, y = zip(*points, strict=True)
        axes.plot(x, y, linewidth=0.8, color=COLOURS["ours"])
        axes.set_ylim(0, 1.15 * max(*y, 1e-9))
        axes.set_title(label, loc="left", fontsize=8, pad=2)
        axes.tick_params(labelsize=7)
        axes.grid(visible=True, linewidth=0.3, alpha=0.5)
    axes.set_xlabel(chart.x_label)
    return figure


def save(figure: Figure, path: Path) -> None:
    figure.savefig(path, format="svg", metadata={"Date": None, "Creator": None})
