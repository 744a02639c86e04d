"""Long lines: what is drawn of them looks like all of them, and whoever looks closer sees every point."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support.browser import Tab
from tests.support.dashboard import Dashboard
from tests.support.pictures import Picture
from tests.support.server import VisdomServer
from tests.support.wait import until

COUNT = 60_000
TIMES = np.arange(COUNT)
RANDOM = np.random.default_rng(7)
WALK = np.cumsum(RANDOM.standard_normal(COUNT))
NOISE = RANDOM.standard_normal(COUNT)

GRAPH = "const graph = document.querySelector('.js-plotly-plot');"
IS_DRAWN = (
    GRAPH
    + """
const { plots, drawn } = window.visdomTransport.plots.counts;
return Boolean(graph && graph._fullLayout && graph.calcdata && drawn === plots);
"""
)
LENGTHS = GRAPH + "return graph.data.map(({ y }) => y.length)"
ZOOM = (
    GRAPH
    + """
const axis = graph._fullLayout.xaxis;
const [low, high] = axis.range.map((end) => axis.r2l(end));
const range = arguments.length ? [...arguments].map((part) => axis.l2r(low + part * (high - low))) : null;
Plotly.relayout(graph, range ? { 'xaxis.range': range } : { 'xaxis.autorange': true });
"""
)
IS_SETTLED = """
const { plots: { counts: { plots, drawn } }, sampler } = window.visdomTransport;
return drawn === plots && Boolean(sampler.facts) === arguments[0];
"""
RANGE = GRAPH + "return graph._fullLayout.xaxis.range"
IN_VIEW = (
    GRAPH
    + """
const axis = graph._fullLayout.xaxis;
const [low, high] = axis.range;
return graph.data[0].x.filter((x) => x >= low && x <= high);
"""
)
HIDE_FIRST = "document.querySelector('.legendtoggle').dispatchEvent(new MouseEvent('mousedown', { bubbles: true }));"
HIDE_FIRST += "document.querySelector('.legendtoggle').dispatchEvent(new MouseEvent('mouseup', { bubbles: true }));"


def spiked() -> np.ndarray[Any, Any]:
    y = np.zeros(COUNT)
    y[COUNT // 3], y[COUNT // 2 + 7], y[-2] = 5, -3, 2
    return y


def gapped() -> np.ndarray[Any, Any]:
    y = WALK.copy()
    y[COUNT // 4 : COUNT // 3] = np.nan
    y[::301] = np.nan
    y[COUNT // 2 + 1 : COUNT // 2 + 90 : 2] = np.nan
    return y


def trace(y: np.ndarray[Any, Any], x: Any = TIMES, **more: Any) -> dict[str, Any]:
    values = [None if np.isnan(value) else float(value) for value in y]
    return {"type": "scatter", "mode": "lines", "name": "line", "x": list(np.asarray(x).tolist()), "y": values, **more}


def dates() -> list[str]:
    return [str(time) for time in np.datetime64("2024-02-28T00:00:00") + TIMES * np.timedelta64(13, "s")]


def bursts() -> np.ndarray[Any, Any]:
    return np.cumsum(np.where(RANDOM.random(COUNT) < 0.001, 200.0, 0.001))


PLOTS: dict[str, tuple[list[dict[str, Any]], dict[str, Any]]] = {
    "a walk": ([trace(WALK)], {}),
    "noise": ([trace(NOISE)], {}),
    "spikes of one point": ([trace(spiked())], {}),
    "gaps": ([trace(gapped())], {}),
    "gaps that are bridged": ([trace(gapped(), connectgaps=True)], {}),
    "a logarithmic x": ([trace(WALK, TIMES + 1)], {"xaxis": {"type": "log"}}),
    "a logarithmic y": ([trace(np.exp(WALK / 50))], {"yaxis": {"type": "log"}}),
    "a logarithmic y with zeros": ([trace(np.maximum(0, NOISE))], {"yaxis": {"type": "log"}}),
    "dates": ([trace(WALK, dates())], {}),
    "bursts": ([trace(NOISE, bursts())], {}),
    "two y axes": ([trace(WALK), trace(NOISE, yaxis="y2")], {"yaxis2": {"overlaying": "y", "side": "right"}}),
    "sixteen lines": ([trace(np.roll(WALK, 997 * k)[:9000] + 100 * k, TIMES[:9000]) for k in range(16)], {}),
}
VIEWS = ((), (0.4, 0.6), (0.5, 0.5 + 40 / COUNT))
"""All of it, a part, and a few points."""

EDGE_PIXELS = 15
"""So many of 132,440 pixels may differ; up to 3 do. Plotly itself moves a line by up to three quarters of a pixel, to draw fewer
points of it (`line.simplify`)."""
ROUGH_PIXELS = 120
"""Where a line goes up and down in every column of pixels there are many more ends of strokes: up to 59 differ. Between what
Plotly draws of noise and what it draws when told not to simplify, up to 15 of 120,575 did, of 100,000 points."""
ROUGH = frozenset({"noise", "two y axes", "a logarithmic y with zeros"})


@pytest.fixture(scope="module")
def server(serve: Callable[..., VisdomServer]) -> VisdomServer:
    return serve()


def publish(dash: Dashboard, traces: list[dict[str, Any]], layout: dict[str, Any] | None = None, **opts: Any) -> None:
    body = {"win": "w", "eid": dash.env, "data": traces, "layout": {"showlegend": False, **(layout or {})}}
    dash.vis._send({**body, "opts": {"title": "line", "width": 600, "height": 400, **opts}})


def settle(tab: Tab, *, sampled: bool) -> None:
    """Wait until what is seen is drawn, from samples or whole."""
    until(lambda: tab.js(IS_DRAWN), "the plot is drawn", timeout_s=30)
    until(lambda: tab.js(IS_SETTLED, sampled), f"sampled: {sampled}", timeout_s=30, seen=lambda: tab.js(LENGTHS))


def views(dash: Dashboard, *, sampled: bool) -> list[Picture]:
    """Pictures of the plot: all of it, a part, a few points, and all of it again."""
    tab = dash.open()
    pictures = []
    for view in (*VIEWS, ()):
        settle(tab, sampled=sampled)
        tab.js(ZOOM)
        if view:
            tab.js(ZOOM, *view)
        settle(tab, sampled=sampled)
        pictures.append(Picture.of(tab))
    return pictures


@pytest.mark.parametrize("name", PLOTS)
def test_a_sample_looks_like_the_whole(dash: Dashboard, name: str, tmp_path: Path) -> None:
    traces, layout = PLOTS[name]
    publish(dash, traces, layout)
    sampled = views(dash, sampled=True)
    publish(dash, traces, layout, detail="full")
    whole = views(dash, sampled=False)
    for number, (ours, all_points) in enumerate(zip(sampled, whole, strict=True)):
        differing = ours.differing(all_points)
        ours.save(tmp_path / f"{number}-sampled.png")
        all_points.save(tmp_path / f"{number}-whole.png")
        assert all_points.inked > 300, f"view {number} is empty"
        allowed = ROUGH_PIXELS if name in ROUGH else EDGE_PIXELS
        assert differing <= allowed, f"view {number}: {differing} of {ours.pixels} pixels ({tmp_path})"
    assert dash.browser.exceptions() == []


def test_zoomed_in_every_point_is_drawn_and_stays_so_when_points_are_appended(dash: Dashboard) -> None:
    publish(dash, [trace(WALK)])
    tab = dash.open()
    settle(tab, sampled=True)
    assert tab.js(LENGTHS)[0] < 4_000
    tab.js(ZOOM, 0.5, 0.5 + 40 / COUNT)
    until(lambda: tab.js(IN_VIEW) == list(range(30_000, 30_040)), "every point is drawn", seen=lambda: tab.js(IN_VIEW))
    seen = tab.js(RANGE)
    for number in range(3):
        dash.vis.line(X=np.array([COUNT + number]), Y=np.array([0.0]), win="w", update="append", name="line")
        dash.assert_current(tab)
        assert tab.js(RANGE) == seen
        assert tab.js(IN_VIEW) == list(range(30_000, 30_040))

    def shows_all() -> bool:
        # On a busy machine two clicks may be too far apart to be one.
        tab.click_at(*tab.js(GRAPH + CENTRE), times=2)
        return bool(tab.js(RANGE) == [0, COUNT + 2])

    until(shows_all, "all of the line is in view", seen=lambda: tab.js(RANGE))
    settle(tab, sampled=True)
    assert tab.js(LENGTHS)[0] < 4_000
    dash.assert_current(tab)


CENTRE = """
const { left, top } = graph.getBoundingClientRect();
const { l, t, w, h } = graph._fullLayout._size;
return [Math.round(left + l + w / 2), Math.round(top + t + h / 2)];
"""
LISTEN = (
    GRAPH
    + """
window.heard = [];
for (const name of ['plotly_hover', 'plotly_click']) {
  graph.on(name, ({ points: [{ x, pointNumber, pointIndex, data }] }) =>
    window.heard.push([name, x, pointNumber, pointIndex, data.x[pointNumber], data.x.length]));
}
"""
)


def test_events_name_the_point_of_the_whole_line(dash: Dashboard) -> None:
    publish(dash, [trace(WALK)])
    tab = dash.open()
    settle(tab, sampled=True)
    tab.js(LISTEN)
    tab.click_at(*tab.js(GRAPH + CENTRE))
    until(lambda: {"plotly_hover", "plotly_click"} <= {name for name, *_ in tab.js("return window.heard")}, "both were heard")
    for _, x, *numbers, length in tab.js("return window.heard"):
        assert (x, x, x, COUNT) == (*numbers, length)
        assert 20_000 < x < 40_000


def test_a_hidden_line_stays_hidden_and_the_others_get_their_columns(dash: Dashboard) -> None:
    traces = [trace(WALK, TIMES * 100, name="long"), trace(NOISE, name="short")]
    publish(dash, traces, {"showlegend": True})
    tab = dash.open()
    settle(tab, sampled=True)
    before = tab.js(LENGTHS)[1]
    tab.js(HIDE_FIRST)
    visible = GRAPH + "return graph.data.map((trace) => trace.visible ?? true)"
    until(lambda: tab.js(visible) == ["legendonly", True], "the line is hidden", seen=lambda: tab.js(visible))
    until(lambda: tab.js(LENGTHS)[1] > 10 * before, "the other one is drawn again", seen=lambda: tab.js(LENGTHS))
    dash.vis.line(X=np.array([COUNT]), Y=np.array([0.0]), win="w", update="append", name="short")
    dash.assert_current(tab)
    assert tab.js(visible) == ["legendonly", True]


def test_detail_full_draws_every_point(dash: Dashboard, make: Callable[..., Dashboard]) -> None:
    publish(dash, [trace(WALK)], detail="full")
    tab = dash.open()
    settle(tab, sampled=False)
    assert tab.js(LENGTHS) == [COUNT]
    dash.vis.update_window_opts("w", {"detail": "screen"})
    until(lambda: tab.js(LENGTHS)[0] < 4_000, "a sample is drawn", seen=lambda: tab.js(LENGTHS))
    other = make(settings={"detail": "full"})
    publish(other, [trace(WALK)])
    tab = other.open()
    settle(tab, sampled=False)
    assert tab.js(LENGTHS) == [COUNT]


PICTURE = """
const [scale, done] = arguments;
const graph = document.querySelector('.js-plotly-plot');
const points = (svg) => /class="[^"]*js-line[^"]*" d="([^"]+)"/.exec(svg)[1].split('L').length;
const width = scale === null ? null : scale * graph._fullLayout.width;
Plotly.toImage(graph, { format: 'svg', width }).then(
  (url) => done([points(decodeURIComponent(url)), graph.data[0].y.length]),
  (error) => done(String(error)),
);
"""


def test_a_picture_of_vectors_has_more_points_than_the_screen(dash: Dashboard) -> None:
    publish(dash, [trace(NOISE)])
    tab = dash.open()
    settle(tab, sampled=True)
    pictured, on_screen = tab.js_async(PICTURE, None)
    assert on_screen < 4_000
    assert 3 * on_screen < pictured < COUNT
    # So large that points can be told from each other: the picture is made of all. Plotly joins some that are in line.
    pictured, still = tab.js_async(PICTURE, 50)
    assert pictured > 0.8 * COUNT
    assert still == on_screen


LABELS = (
    GRAPH
    + """
const labels = Array.from(graph.querySelectorAll('.xtick text, .ytick text'), (label) =>
  [label.textContent, ...['x', 'y', 'transform', 'style'].map((name) => label.getAttribute(name))]);
return labels.sort();
"""
)


def test_labels_of_axes_are_where_a_new_page_has_them(dash: Dashboard) -> None:
    publish(dash, [trace(WALK)])
    tab = dash.open()
    for number in range(5):
        dash.vis.line(X=np.array([COUNT + 400.0 * number]), Y=np.array([50.0 * number]), win="w", update="append", name="line")
        dash.assert_current(tab)
    settle(tab, sampled=True)
    labels = tab.js(LABELS)
    assert len(labels) > 6
    tab.refresh()
    settle(tab, sampled=True)
    until(lambda: tab.js(LABELS) == labels, "the labels are the same", seen=lambda: tab.js(LABELS))


BADGE_DETAILS = "return document.querySelector('visdom-link-badge').shadowRoot.querySelector('.details').textContent"


def test_the_badge_says_that_there_is_more(dash: Dashboard) -> None:
    publish(dash, [trace(WALK)])
    tab = dash.open()
    settle(tab, sampled=True)
    tab.js("document.querySelector('visdom-link-badge').shadowRoot.querySelector('button').click()")
    shown = re.search(r"detail1 of 1 plot at up to 1 : (\d+), zoom for detail", tab.js(BADGE_DETAILS))
    assert shown
    assert int(shown[1]) == round(COUNT / tab.js(LENGTHS)[0])
