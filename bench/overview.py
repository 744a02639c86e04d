"""A line that keeps an overview of its whole run, against one that keeps its newest points.

CPU time of the server process for one append of one point to a line made with `opts={"max_points": 1_000}` that is full: once
with `"keep": "overview"`, which is thinned once in some 250 appends, once with the default, which drops a point with each. A
sample has 1,000 appends, and so about four thinnings. With nobody watching, and with one page that has received each append
before the next is posted. What a thinning costs follows the bound, and so does the number of appends that pay for it: with
another bound it is the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from itertools import count

from .support.measure import Bench, Samples, cpu_per_call
from .support.messages import line, point
from .support.result import Bars, Result, Table, Target, ms, number, times
from .support.servers import Server
from .support.subscriber import OwnSubscriber

POINTS = 1_000
APPENDS = 1_000
KEEP = ("newest", "overview")


def run(bench: Bench) -> Result:
    samples = Samples()
    with Server("ours") as server:
        for keep in KEEP:
            line(keep, POINTS, max_points=POINTS, keep=keep).post(server)
        steps = count(POINTS)
        for _ in bench.rounds(5, quick=1):
            for keep in KEEP:
                samples.add(cpu_per_call(server, partial(append, server, keep, steps), APPENDS), keep, "nobody")
        page = OwnSubscriber(server)
        page.connect()
        for _ in bench.rounds(5, quick=1):
            for keep in KEEP:

                def seen(keep: str = keep) -> None:
                    append(server, keep, steps)
                    page.take_batch()

                before = page.received_bytes
                samples.add(cpu_per_call(server, seen, APPENDS), keep, "a page")
                samples.add((page.received_bytes - before) / APPENDS, keep, "bytes")
    rows = []
    for watcher in ("nobody", "a page"):
        newest, overview = (samples.median(keep, watcher) for keep in KEEP)
        rows.append([watcher, ms(newest), ms(overview), times(overview / newest)])
    newest, overview = (samples.median(keep, "bytes") for keep in KEEP)
    rows.append(["a page: bytes per append", number(newest), number(overview), times(overview / newest)])
    return Result(
        tables=[Table(["watched by", "newest points", "overview", "overview / newest"], rows)],
        targets=[
            Target(
                f"append to a line with an overview, watched by {watcher}, against first in, first out",
                samples.median("overview", watcher) / samples.median("newest", watcher),
                1.5,
                "x",
            )
            for watcher in ("nobody", "a page")
        ],
        chart=Bars(
            "Append to a full line",
            "server CPU, ms",
            {f"{keep}, {watcher}": samples.median(keep, watcher) * 1000 for watcher in ("nobody", "a page") for keep in KEEP},
        ),
    )


def append(server: Server, win: str, steps: Iterator[int]) -> None:
    """One point more, at an x that goes on."""
    point(win, x=float(next(steps))).post(server)
