"""A streaming embedding on the page: the legend counts, a refresh shows the newest set, and a replace never shows nothing."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.support.browser import Tab
from tests.support.dashboard import Dashboard
from tests.support.wait import until
from visdom_transport.client import EmbeddingStream

LEGEND = """
const text = (selector) => Array.from(document.querySelectorAll(`.js-plotly-plot ${selector}`), (node) => node.textContent);
return { counts: text('.legendtext'), title: text('.legendtitletext').join('') };
"""

# Samples at the start of every frame, and right after it was painted.
WATCH = """
const seen = [];
const plot = document.querySelector('.js-plotly-plot');
const sample = () => {
  const now = document.querySelector('.js-plotly-plot');
  const drawn = now ? now.querySelectorAll('.scatterlayer .point').length : 0;
  const held = now && now.data ? now.data.reduce((sum, trace) => sum + trace.x.length, 0) : 0;
  const last = seen[seen.length - 1];
  if (!last || last.drawn !== drawn || last.held !== held) seen.push({ drawn, held });
};
const painted = new MessageChannel();
painted.port1.onmessage = sample;
const frame = () => {
  sample();
  painted.port2.postMessage(null);
  window.watching = requestAnimationFrame(frame);
};
frame();
window.stopWatching = () => {
  cancelAnimationFrame(window.watching);
  return { seen, samePlot: document.querySelector('.js-plotly-plot') === plot };
};
"""


def cloud(count: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(count, 2))


def legend(tab: Tab) -> dict[str, Any]:
    shown: dict[str, Any] = tab.js(LEGEND)
    return shown


def assert_legend(tab: Tab, counts: list[str], title: str) -> None:
    wanted = {"counts": counts, "title": title}
    until(lambda: legend(tab) == wanted, f"the legend says {wanted}", seen=lambda: legend(tab))


def drawn(tab: Tab) -> int:
    return int(tab.js("return document.querySelectorAll('.js-plotly-plot .scatterlayer .point').length"))


@pytest.fixture
def stream(dash: Dashboard) -> EmbeddingStream:
    return EmbeddingStream(dash.vis, win="digits", max_points=100, title="Digits")


def test_survives_refresh(dash: Dashboard, stream: EmbeddingStream) -> None:
    stream.replace(cloud(60, 1), clusters=np.arange(60) % 3, predicted=np.arange(60) % 3)
    tab = dash.watch()
    assert_legend(tab, ["0 (20)", "1 (20)", "2 (20)"], "100.0 % of 60 agree")
    for step in range(15):
        stream.add(step / 10, 1, cluster="new", predicted=0)
    assert_legend(tab, ["0 (20)", "1 (20)", "2 (20)", "new (15)"], "80.0 % of 75 agree")
    stream.extend(cloud(40, 2), clusters=np.zeros(40, int))
    counts = ["0 (55)", "1 (15)", "2 (15)", "new (15)"]
    assert_legend(tab, counts, "75.0 % of 60 agree")
    assert drawn(tab) == 100
    tab.refresh()
    assert_legend(tab, counts, "75.0 % of 60 agree")
    assert drawn(tab) == 100
    dash.assert_current(tab)
    late = dash.watch()
    assert_legend(late, counts, "75.0 % of 60 agree")
    stream.add(0, 0, cluster="new")
    for each in (tab, late):
        assert_legend(each, ["0 (54)", "1 (15)", "2 (15)", "new (16)"], "74.6 % of 59 agree")
    dash.assert_current(tab, late)


def test_goes_on_after_a_cut(dash: Dashboard, stream: EmbeddingStream) -> None:
    stream.replace(cloud(50, 1), clusters=["a"] * 50)
    tab = dash.watch()
    dash.proxy.refuse()
    tab.wait_live(False)
    stream.replace(cloud(80, 2), clusters=["b"] * 80)
    for step in range(40):
        stream.add(step, step, cluster="c")
    dash.proxy.accept()
    assert_legend(tab, ["b (60)", "c (40)"], "")
    dash.assert_current(tab)


def test_three_dimensions(dash: Dashboard, stream: EmbeddingStream) -> None:
    stream.replace(np.random.default_rng(1).normal(size=(30, 3)), clusters=np.arange(30) % 2)
    tab = dash.watch()
    assert_legend(tab, ["0 (15)", "1 (15)"], "")
    stream.add(0, 0, 0, cluster=1)
    assert_legend(tab, ["0 (15)", "1 (16)"], "")
    dash.assert_current(tab)


def watch_replaces(dash: Dashboard, tab: Tab, stream: EmbeddingStream, sizes: list[int]) -> dict[str, Any]:
    """What the page showed while sets of these sizes replaced each other."""
    tab.js(WATCH)
    for number, size in enumerate(sizes):
        stream.replace(cloud(size, number), clusters=np.arange(size) % (2 + number % 3))
        until(lambda size=size: drawn(tab) == size, f"{size} points are drawn", seen=lambda: drawn(tab))
    dash.assert_current(tab)
    watched: dict[str, Any] = tab.js("return window.stopWatching()")
    return watched


def test_replace_never_shows_nothing(dash: Dashboard, stream: EmbeddingStream) -> None:
    stream.replace(cloud(30, 0), clusters=np.arange(30) % 3)
    tab = dash.watch()
    sizes = [40, 50, 25, 60, 35, 70, 45, 80]
    watched = watch_replaces(dash, tab, stream, sizes)
    assert [each["held"] for each in watched["seen"] if each["held"] == each["drawn"]] == [30, *sizes]
    assert all(each["drawn"] and each["held"] for each in watched["seen"]), watched["seen"]
    assert watched["samePlot"], "the plot was made anew"


def test_the_watch_notices_an_empty_plot(dash: Dashboard, stream: EmbeddingStream) -> None:
    stream.replace(cloud(30, 0))
    tab = dash.watch()
    watched = watch_replaces(dash, tab, stream, [40, 0, 50])
    assert {"drawn": 0, "held": 0} in watched["seen"]
