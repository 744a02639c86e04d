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

from .support.full_lines import compare, measure
from .support.measure import Bench
from .support.messages import line, point
from .support.result import Result
from .support.servers import Server

POINTS = 1_000
APPENDS = 1_000
KEEP = ("newest", "overview")


def run(bench: Bench) -> Result:
    with Server("ours") as server:
        for keep in KEEP:
            line(keep, POINTS, max_points=POINTS, keep=keep).post(server)
        steps = count(POINTS)
        appends = {keep: partial(append, server, keep, steps) for keep in KEEP}
        samples = measure(bench, server, appends, rounds=5, counts=(APPENDS, APPENDS))
    return compare(
        samples,
        "overview",
        "newest",
        promise="append to a line with an overview, watched by {watcher}, against first in, first out",
        most=1.5,
        title="Append to a full line",
    )


def append(server: Server, win: str, steps: Iterator[int]) -> None:
    """One point more, at an x that goes on."""
    point(win, x=float(next(steps))).post(server)
