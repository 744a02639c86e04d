"""A full sliding window of 100,000 points against a line that grows.

CPU time of the server process for one append of one point to a line made with `opts={"max_points": 100_000}` that holds as
many already, so that each append drops one point, against a line of 100,000 points without a bound: once with nobody watching,
once with one page that has received each append before the next is posted. Stock has no such bound.
"""

from __future__ import annotations

from functools import partial

from .support.full_lines import compare, measure
from .support.measure import Bench
from .support.messages import line, point
from .support.result import Result
from .support.servers import Server

POINTS = 100_000
WINDOWS = ("unbounded", "sliding")


def run(bench: Bench) -> Result:
    with Server("ours") as server:
        line("unbounded", POINTS).post(server)
        line("sliding", POINTS, max_points=POINTS).post(server)
        appends = {win: partial(point(win).post, server) for win in WINDOWS}
        samples = measure(bench, server, appends, rounds=9, counts=(200, 50))
    return compare(
        samples,
        "sliding",
        "unbounded",
        promise="append to a full sliding window, watched by {watcher}, against an unbounded one",
        most=1.3,
        title="Append to 100,000 points",
    )
