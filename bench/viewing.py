"""What a page costs that shows more than fits on the screen, and lines of more points than the screen has columns.

*Opening*: 200 lines of 1,000 points each, with the browser's cache warm. *In view*: from the navigation until the last pane that
the window shows without scrolling is on the screen. *Busy*: the processor's time that the main thread takes for its tasks until
everything in view is drawn and the page is idle. *Scrolling*: from a jump to the end of the page until all that is then in view
is drawn.

*Appending*: one line, one point more at a steady rate. *Lag* is from just before a post until the frame that shows it is
painted, on one clock; *busy* the processor's time of the main thread in that time; *heap* the JavaScript heap after a
collection of garbage. *Zoom*: from the choice of 200 points, fewer than the plot has columns of pixels, until all of them are
drawn.

*Bokeh*, where it is installed: the same line in a Bokeh server, on a canvas.

*First visit*: bytes of the files of the page with an empty cache, as the browser counts them.

On a machine with few cores these figures are the machine's, because server and browser share them: compare within a run.
"""

from __future__ import annotations

import statistics
import time
from importlib.util import find_spec
from typing import NamedTuple

from .browser import Stream, lag_of, longest_task, page_files, served
from .support.measure import Bench, percentile
from .support.messages import line
from .support.page import Chromium, Page
from .support.result import Bars, Result, Table, Target, mb, ms, number
from .support.servers import Server

PANES = 200
POINTS_EACH = 1_000

RESOURCE_BYTES = """
return performance.getEntriesByType("resource").concat(performance.getEntriesByType("navigation"))
  .reduce((sum, {transferSize}) => sum + transferSize, 0)
"""
IN_VIEW = """
const inView = () => [...document.querySelectorAll(".plotly-graph-div")].filter((each) => {
  const {top, bottom, height} = each.getBoundingClientRect();
  return height > 0 && bottom > 0 && top < innerHeight;
});
"""
DRAWN_IN_VIEW_MS = f"""
{IN_VIEW}
const times = new Map();
for (const [at, id] of window.bench.plots) if (!times.has(id)) times.set(id, at);
const elements = inView();
if (!elements.length || !elements.every(({{id}}) => times.has(id))) return null;
return Math.max(...elements.map(({{id}}) => times.get(id))) - performance.timeOrigin;
"""
SCROLL_MS = f"""
const done = arguments[arguments.length - 1];
{IN_VIEW}
const began = performance.now();
scrollTo(0, document.documentElement.scrollHeight);
const look = () => {{
  const elements = inView();
  if (elements.length && elements.every((each) => each.querySelector(".main-svg"))) done(performance.now() - began);
  else requestAnimationFrame(() => setTimeout(look));
}};
requestAnimationFrame(() => setTimeout(look));
"""
ZOOM_MS = """
const [from, to, done] = arguments;
const element = document.querySelector(".js-plotly-plot");
const began = performance.now();
const look = () => {
  const {x} = element.data[0];
  if (x.filter((each) => each >= from && each <= to).length === to - from + 1) setTimeout(() => done(performance.now() - began));
  else requestAnimationFrame(look);
};
Plotly.relayout(element, {"xaxis.range": [from, to]});
requestAnimationFrame(look);
"""


class Opened(NamedTuple):
    """How a page opened; seconds."""

    in_view: float
    longest_task: float
    busy: float
    scroll: float


class Appended(NamedTuple):
    """How a page kept up with a line."""

    rate: float
    lag_p95: float
    busy: float
    heap_bytes: float


def run(bench: Bench) -> Result:
    seconds = 4.0 if bench.quick else 15.0
    opened, targets = opening(bench)
    lines, more = appending(bench, seconds)
    rows = [[kind, *map(ms, each)] for kind, each in opened.items()]
    tables = [
        Table([f"{PANES} lines of {POINTS_EACH:,} points", "in view", "longest task", "busy", "scrolled to the end"], rows),
        Table(["line", "asked for", "appends/s", "lag p95", "busy", "heap"], lines),
    ]
    chart = Bars("Opening 200 plots", "s until all in view is drawn", {kind: each.in_view for kind, each in opened.items()})
    return Result(tables=tables, targets=[*targets, *more, first_visit(bench)], chart=chart)


# --- opening ---------------------------------------------------------------------------------------------------------------


def opening(bench: Bench) -> tuple[dict[str, Opened], list[Target]]:
    results: dict[str, list[Opened]] = {"stock": [], "ours": []}
    for _ in bench.rounds(3):
        for kind, opened in results.items():
            with Server("stock", page_files=page_files()) if kind == "stock" else served() as server, Chromium() as chromium:
                for pane in range(PANES):
                    line(f"w{pane:03d}", POINTS_EACH).post(server)
                opened.append(open_again(chromium.open(server)))
    median = {kind: Opened(*(statistics.median(each) for each in zip(*opened, strict=True))) for kind, opened in results.items()}
    ours, stock = median["ours"], median["stock"]
    return median, [
        Target("until all in view is drawn, to stock", ours.in_view / stock.in_view, 0.35, "x"),
        Target("longest task while opening", ours.longest_task * 1000, 250, " ms"),
        Target("main thread busy until idle", ours.busy, 2.5, " s"),
        Target("a jump to the end, until all in view is drawn", ours.scroll * 1000, 300, " ms"),
    ]


def open_again(page: Page) -> Opened:
    """Open the page of another page once more: its files are in the browser's cache."""
    await_idle(page)
    page.reload()
    page.until(DRAWN_IN_VIEW_MS, "all in view is drawn", timeout_s=120)
    await_idle(page)
    in_view = page.js(DRAWN_IN_VIEW_MS)
    busy, longest = page.busy_s(), longest_task(page)
    return Opened(in_view / 1000, longest, busy, page.js_async(SCROLL_MS) / 1000)


def await_idle(page: Page, timeout_s: float = 120.0) -> None:
    """Wait until the main thread has little to do for a second."""
    deadline = time.monotonic() + timeout_s
    before, at = page.busy_s(), time.monotonic()
    while time.monotonic() < deadline:
        time.sleep(1.0)
        now, then = page.busy_s(), time.monotonic()
        if now - before < 0.1 * (then - at):
            return
        before, at = now, then


# --- appending -------------------------------------------------------------------------------------------------------------

#: Points, appends a second, the most that lag p95 may be in ms, the share that may be busy, and the heap in MB.
LINES = (
    (10_000, 10, 35, None, None),
    (10_000, 50, 45, None, None),
    (100_000, 10, 40, 0.08, None),
    (1_000_000, 5, 60, 0.10, 90),
)
STOCK_LINES = ((10_000, 10), (100_000, 10))
#: Points that are zoomed into: with more, one column of pixels would have several, and some are left out.
ZOOMED = 200
#: It draws no line of a million points within a minute.
BOKEH_LINES = ((10_000, 10), (10_000, 50), (100_000, 10))


def appending(bench: Bench, seconds: float) -> tuple[list[list[str]], list[Target]]:
    rows: list[list[str]] = []
    targets: list[Target] = []
    with Chromium() as chromium:
        for points, rate in STOCK_LINES:
            bench.say(f"stock: {points:,} points, {rate}/s")
            with Server("stock", page_files=page_files()) as server:
                # It cannot keep up: what it holds in a few seconds tells enough.
                rows.append(["stock", *described(points, rate, append(chromium, server, points, rate, min(seconds, 3.0))[0])])
        for points, rate in BOKEH_LINES if find_spec("bokeh") else ():
            bench.say(f"Bokeh: {points:,} points, {rate}/s")
            with Server("bokeh") as server:
                rows.append(["Bokeh", *described(points, rate, append(chromium, server, points, rate, seconds)[0])])
        for points, rate, lag_ms, busy, heap_mb in LINES:
            bench.say(f"{points:,} points, {rate}/s")
            with served() as server:
                result, page = append(chromium, server, points, rate, seconds)
                rows.append(["ours", *described(points, rate, result)])
                what = f"{points:,} points at {rate}/s"
                targets.append(Target(f"{what}: lag p95", result.lag_p95 * 1000, lag_ms, " ms"))
                if busy is not None:
                    targets.append(Target(f"{what}: main thread busy", 100 * result.busy, 100 * busy, " %"))
                if heap_mb is not None:
                    targets.append(Target(f"{what}: heap", result.heap_bytes / 1e6, heap_mb, " MB"))
                    zoom_ms = page.js_async(ZOOM_MS, points // 2, points // 2 + ZOOMED)
                    targets.append(Target(f"zoom into {points:,} points, until all of them are drawn", zoom_ms, 100, " ms"))
    return [[f"{kind}, {points}", *rest] for kind, points, *rest in rows], targets


def append(chromium: Chromium, server: Server, points: int, rate: int, seconds: float) -> tuple[Appended, Page]:
    line("w", points).post(server)
    page = chromium.open(server)
    page.until("return window.bench.drawn.length > 0", "the line is drawn")
    await_idle(page)
    page.forget()
    busy, began = page.busy_s(), time.monotonic()
    stream = Stream(server, rate, seconds, first=points).run()
    busy, elapsed = page.busy_s() - busy, time.monotonic() - began
    lag = lag_of(page, stream)
    return Appended(stream.rate, percentile(lag, 0.95), busy / elapsed, page.heap_bytes()), page


def described(points: int, rate: int, result: Appended) -> list[str]:
    share = f"{100 * result.busy:.0f} %"
    return [f"{points:,} points", f"{rate}/s", number(result.rate), ms(result.lag_p95), share, mb(result.heap_bytes)]


# --- files -----------------------------------------------------------------------------------------------------------------


def first_visit(bench: Bench) -> Target:
    bench.say("first visit")
    with served() as server, Chromium() as chromium:
        line("w", POINTS_EACH).post(server)
        page = chromium.open(server)
        page.until("return window.bench.drawn.length > 0", "the line is drawn")
        await_idle(page)
        return Target("files of a first visit", page.js(RESOURCE_BYTES) / 1e6, 2, " MB")
