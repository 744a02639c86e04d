"""A full sliding window of 100,000 points against a line that grows.

CPU time of the server process for one append of one point to a line made with `opts={"max_points": 100_000}` that holds as
many already, so that each append drops one point, against a line of 100,000 points without a bound: once with nobody watching,
once with one page that has received each append before the next is posted. Stock has no such bound.
"""

from __future__ import annotations

from functools import partial

from .support.measure import Bench, Samples, cpu_per_call
from .support.messages import line, point
from .support.result import Bars, Result, Table, Target, ms, number, times
from .support.servers import Server
from .support.subscriber import OwnSubscriber

POINTS = 100_000
WINDOWS = ("unbounded", "sliding")


def run(bench: Bench) -> Result:
    samples = Samples()
    with Server("ours") as server:
        line("unbounded", POINTS).post(server)
        line("sliding", POINTS, max_points=POINTS).post(server)
        appends = {win: point(win) for win in WINDOWS}
        for _ in bench.rounds(9, quick=3):
            for win in WINDOWS:
                samples.add(cpu_per_call(server, partial(appends[win].post, server), 200), win, "nobody")
        page = OwnSubscriber(server)
        page.connect()
        for _ in bench.rounds(9, quick=3):
            for win in WINDOWS:

                def seen(win: str = win) -> None:
                    appends[win].post(server)
                    page.take_batch()

                before = page.received_bytes
                samples.add(cpu_per_call(server, seen, 50), win, "a page")
                samples.add((page.received_bytes - before) / 50, win, "bytes")
    rows = []
    for watcher in ("nobody", "a page"):
        unbounded, sliding = (samples.median(win, watcher) for win in WINDOWS)
        rows.append([watcher, ms(unbounded), ms(sliding), times(sliding / unbounded)])
    unbounded, sliding = (samples.median(win, "bytes") for win in WINDOWS)
    rows.append(["a page: bytes per append", number(unbounded), number(sliding), times(sliding / unbounded)])
    return Result(
        tables=[Table(["watched by", "unbounded", "sliding", "sliding / unbounded"], rows)],
        targets=[
            Target(
                f"append to a full sliding window, watched by {watcher}, against an unbounded one",
                samples.median("sliding", watcher) / samples.median("unbounded", watcher),
                1.3,
                "x",
            )
            for watcher in ("nobody", "a page")
        ],
        chart=Bars(
            "Append to 100,000 points",
            "server CPU, ms",
            {f"{win}, {watcher}": samples.median(win, watcher) * 1000 for watcher in ("nobody", "a page") for win in WINDOWS},
        ),
    )
