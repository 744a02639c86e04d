"""Real pages in Chromium: how old is what they show, and what do they cost.

*Lag* is the time from just before a post until the frame that shows it is painted, on one clock. Every append puts one point on
the end of a line that keeps 10,000 points (`max_points`). *Longest task*: of the page's main thread, as the browser reports
them (50 ms and more). *Heap*: growth of the page's JavaScript heap, after collecting garbage. *Slow tab*: the page's processor
throttled to a sixth (DevTools). *Hidden tab*: a tenth of all times, so that one minute stands for ten. *Large window*: 50 text
panes at 10 updates/s each, alone and with an image of 20 MB among them that is replaced every 5 s. *Stalled tab*: another page's
main thread hangs in a request that is never answered.

Stock's server cannot keep up with such rates: it is asked for 20/s, and the rate that it holds is told beside the age of what its
page shows. (It serves a page at all only because its static files are given to it here.) Everything else is about our page. On
a machine with few cores these figures are the machine's, because server and browser share them.
"""

from __future__ import annotations

import http.client
import json
import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .support.measure import Bench, percentile
from .support.messages import Message, image, line, made_by, point
from .support.page import Chromium, Page
from .support.result import Bars, Result, Table, Target, mb, ms, number
from .support.servers import BenchError, Server

POINTS = 10_000
PANES = 50
HUGE_SIDE = 2_236
IN_FLIGHT_BYTES = 4_000_000
HANG = """
const request = new XMLHttpRequest();
request.open("GET", arguments[0], false);
setTimeout(() => request.send(), 100);
"""
TENTH = {"heartbeat_s": 0.8, "dead_after_s": 2, "poll_wait_s": 1}


def run(bench: Bench) -> Result:
    seconds = 8.0 if bench.quick else 60.0
    rows: list[list[str]] = []
    targets: list[Target] = []
    lags: dict[str, float] = {}
    with Chromium() as chromium:
        for rate, lag_limit in ((50, 0.150), (200, 0.250)):
            bench.say(f"{rate} updates/s")
            with served() as server:
                page = open_line(chromium, server)
                heap = page.heap_bytes()
                stream = Stream(server, rate, seconds).run()
                lag = lag_of(page, stream)
                grown = page.heap_bytes() - heap
                check_equal(server, page)
                longest = longest_task(page)
                label = f"{rate}/s"
                lags[label] = percentile(lag, 0.95)
                rows.append([label, number(stream.rate), ms(percentile(lag, 0.5)), ms(lags[label]), ms(longest), mb(grown)])
                targets.append(Target(f"lag from publish to draw, p95, at {rate}/s", lags[label] * 1000, lag_limit * 1000, " ms"))
                if rate == 200:
                    targets += [
                        Target("rate that the server holds", stream.rate, 0.95 * rate, "/s", at_least=True),
                        Target("longest task of the main thread at 200/s", longest * 1000, 150, " ms"),
                        Target("growth of the heap at 200/s", grown / 1e6, 10, " MB"),
                    ]
        stream, lag, longest = stock_line(bench, chromium)
        lags["stock"] = percentile(lag, 0.95)
        rows.append(["stock, asked for 20/s", number(stream.rate), ms(percentile(lag, 0.5)), ms(lags["stock"]), ms(longest), ""])
        targets += slow_tab(bench, chromium, min(seconds, 20.0))
        targets += hidden_tab(bench, chromium, seconds)
        targets += large_window(bench, chromium, min(seconds * 2, 40.0))
        targets += stalled_tab(bench, chromium, min(seconds, 20.0))
    return Result(
        tables=[Table(["10,000 points", "updates/s", "lag p50", "lag p95", "longest task", "heap"], rows)],
        targets=targets,
        chart=Bars("Age of what is shown", "p95 from post to painted frame, s", lags),
    )


def stock_line(bench: Bench, chromium: Chromium) -> tuple[Stream, list[float], float]:
    """What was posted, the lags, and the longest task."""
    bench.say("stock")
    with Server("stock", page_files=page_files()) as server:
        page = open_line(chromium, server)
        stream = Stream(server, 20, 2 if bench.quick else 5).run()
        return stream, lag_of(page, stream), longest_task(page)


def slow_tab(bench: Bench, chromium: Chromium, seconds: float) -> list[Target]:
    bench.say("slow tab")
    with served() as server:
        page = open_line(chromium, server)
        page.cdp("Emulation.setCPUThrottlingRate", rate=6)
        before = server.rss_bytes()
        stream = Stream(server, 200, seconds, watch=True).start()
        for _ in range(5):
            time.sleep(seconds / 6)
            page.click(900, 500)
        stream.join()
        grown = server.rss_bytes() - before
        lag_of(page, stream)
        clicks = page.notes()["clickMs"]
        page.cdp("Emulation.setCPUThrottlingRate", rate=1)
        check_equal(server, page)
        return [
            Target("bytes in flight to a slow tab", stream.in_flight_bytes / 1e6, IN_FLIGHT_BYTES / 1e6, " MB"),
            Target("growth of the server beside a slow tab", grown / 1e6, 8, " MB"),
            Target("from a click in a slow tab to its frame, median", percentile(clicks, 0.5), 300, " ms"),
        ]


def hidden_tab(bench: Bench, chromium: Chromium, seconds: float) -> list[Target]:
    bench.say("hidden tab")
    with served(TENTH) as server:
        page = open_line(chromium, server)
        page.hide()
        page.forget()
        stream = Stream(server, 200, seconds).run()
        received = page.notes()["receivedBytes"]
        if page.js("return window.visdomTransport.session.state.phase") != "live":
            raise BenchError("the hidden page has lost its link")
        began = time.time()
        page.unhide()
        page.await_drawn(stream.sent[-1][0])
        shown = min(at for at, mark in page.notes()["drawn"] if mark == stream.sent[-1][0]) / 1000 - began
        check_equal(server, page)
        minutes = f"{seconds / 6:.1f} simulated minutes" if seconds < 60 else "10 simulated minutes"
        return [
            Target(f"sent to a hidden tab in {minutes}", received / 1e3, 50, " kB"),
            Target("until it is current when shown", shown, 1, " s"),
        ]


def large_window(bench: Bench, chromium: Chromium, seconds: float) -> list[Target]:
    bench.say("large window")
    p95 = {}
    for huge in (False, True):
        with served() as server:
            for pane in range(PANES):
                small(pane, 0).post(server)
            page = chromium.open(server)
            page.await_drawn(mark(PANES - 1, 0))
            page.forget()
            stream = Stream(server, PANES * 10, seconds, panes=PANES).start()
            if huge:
                other = Client(server)
                body = image("huge", HUGE_SIDE)
                deadline = time.monotonic() + seconds
                while time.monotonic() + 2 < deadline:
                    body.post(other)
                    time.sleep(min(5.0, max(0.0, deadline - time.monotonic() - 2)))
            stream.join()
            p95[huge] = percentile(lag_of(page, stream), 0.95)
    return [Target(f"lag p95 of small panes beside 20 MB ({ms(p95[True])}), to without", p95[True] / p95[False], 2, "x")]


def stalled_tab(bench: Bench, chromium: Chromium, seconds: float) -> list[Target]:
    bench.say("stalled tab")
    results = {}
    for stalled in (False, True):
        # Nobody answers there: it stops the main thread of a page that waits for it, without using the processor.
        with served() as server, socket.create_server(("127.0.0.1", 0)) as hole:
            page = open_line(chromium, server)
            if stalled:
                other = chromium.open(server, "localhost")
                other.js(HANG, f"http://localhost:{hole.getsockname()[1]}/")
            stream = Stream(server, 50, seconds).run()
            results[stalled] = percentile(lag_of(page, stream), 0.95), percentile(stream.posts_s, 0.99)
    lag, post = results[True]
    return [
        Target(f"lag p95 of another page beside a stalled one ({ms(lag)}), to without", lag / results[False][0], 1.5, "x"),
        Target(f"p99 of a post beside a stalled page ({ms(post)}), to without", post / results[False][1], 1.5, "x"),
    ]


class Client:
    """A connection of its own to a server, for one thread."""

    def __init__(self, server: Server) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=120)

    def post(self, path: str, body: bytes) -> bytes:
        self._connection.request("POST", path, body)
        with self._connection.getresponse() as response:
            answer = response.read()
        if response.status != 200:
            raise BenchError(f"POST {path} was answered {response.status}: {answer[:200]!r}")
        return answer

    def windows(self) -> dict[str, Any]:
        windows: dict[str, Any] = json.loads(self.post("/win_data", b'{"win": null, "eid": "main"}'))
        return windows

    def in_flight_bytes(self) -> int:
        self._connection.request("GET", "/transport/status")
        with self._connection.getresponse() as response:
            return max((int(session["in_flight_bytes"]) for session in json.load(response)["sessions"]), default=0)


class Stream:
    """Posts marked updates at a steady rate, from a thread of its own."""

    def __init__(
        self, server: Server, rate: float, seconds: float, *, panes: int = 0, watch: bool = False, first: int = POINTS
    ) -> None:
        self.sent: list[tuple[float | str, float]] = []
        """Marks, and when they were posted (seconds since 1970)."""
        self.posts_s: list[float] = []
        self.in_flight_bytes = 0
        self.rate = 0.0
        self._client = Client(server)
        self._wanted = rate
        self._count = int(rate * seconds)
        self._panes = panes
        self._watch = watch
        self._first = first
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._template = point("w", 1.5, 7.25)

    def start(self) -> Stream:
        self._thread.start()
        return self

    def join(self) -> Stream:
        self._thread.join()
        if len(self.sent) < self._count:
            raise BenchError(f"only {len(self.sent)} of {self._count} updates were posted")
        return self

    def run(self) -> Stream:
        return self.start().join()

    def _message(self, number: int) -> tuple[float | str, Message]:
        if self._panes:
            pane, version = number % self._panes, 1 + number // self._panes
            return mark(pane, version), small(pane, version)
        y = 1000.0 + number
        body = self._template.body.replace(b"7.25", str(y).encode()).replace(b"1.5", str(float(self._first + number)).encode())
        return y, Message(self._template.path, body)

    def _run(self) -> None:
        messages = [self._message(number) for number in range(self._count)]
        began = time.time()
        for index, (name, message) in enumerate(messages):
            time.sleep(max(0.0, began + index / self._wanted - time.time()))
            posted = time.time()
            message.post(self._client)
            self.posts_s.append(time.time() - posted)
            self.sent.append((name, posted))
            if self._watch and index % 20 == 0:
                self.in_flight_bytes = max(self.in_flight_bytes, self._client.in_flight_bytes())
        self.rate = self._count / (time.time() - began)


def page_files() -> Path:
    """Where this machine has the libraries that Visdom's page needs."""
    from visdom_transport.visdom.page import browser_files
    from visdom_transport.visdom.page.static_files import visdom

    return browser_files.static_dir(visdom())


@contextmanager
def served(settings: dict[str, Any] | None = None) -> Iterator[Server]:
    """A server that finds the browser files of this machine, although its home is elsewhere."""
    files = os.environ.get("VISDOM_TRANSPORT_BROWSER_FILES_DIR") or page_files().parents[1]
    with Server("ours", {"browser_files_dir": files, **(settings or {})}) as server:
        yield server


def open_line(chromium: Chromium, server: Server) -> Page:
    """A page that shows a line of 10,000 points, and stays with as many."""
    line("w", POINTS, max_points=POINTS).post(server)
    page = chromium.open(server)
    page.until("return window.bench.drawn.length > 0", "the line is drawn")
    page.forget()
    return page


def mark(pane: int, version: int) -> str:
    return f"mark-{pane}-{version}"


def small(pane: int, version: int) -> Message:
    return made_by("text", f"{mark(pane, version)} and a little more", win=f"pane{pane}", opts={"width": 120, "height": 80})


def lag_of(page: Page, stream: Stream) -> list[float]:
    """Seconds from each post until it, or something newer in its place, was on the screen. Waits for the last one."""
    for name, _ in stream.sent[-max(1, stream._panes) :]:
        page.await_drawn(name)
    drawn: dict[str, list[tuple[float, float]]] = {}
    for at, name in page.notes()["drawn"]:
        key, version = split(name)
        drawn.setdefault(key, []).append((version, at / 1000))
    lags, reached = [], dict.fromkeys(drawn, 0)
    for name, posted in stream.sent:
        key, version = split(name)
        while drawn[key][reached[key]][0] < version:
            reached[key] += 1
        lags.append(drawn[key][reached[key]][1] - posted)
    return lags


def split(name: float | str) -> tuple[str, float]:
    if isinstance(name, str):
        _, pane, version = name.split("-")
        return pane, float(version)
    return "line", name


def longest_task(page: Page) -> float:
    """Seconds."""
    return max(page.notes()["longTasks"], default=0.0) / 1000


def check_equal(server: Server, page: Page) -> None:
    """Raises `BenchError` unless the page's plot has exactly the points that the server has."""
    # A sample of a long line stands for the whole, and is written as that.
    shown = page.js("const [{x, y}] = JSON.parse(JSON.stringify(document.querySelector('.js-plotly-plot').data)); return [x, y]")
    content = Client(server).windows()["w"]["content"]["data"][0]
    if shown != [content["x"], content["y"]]:
        raise BenchError("the page does not show what the server holds")
