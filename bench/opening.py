"""100 pages that open at once, compressed and not.

200 lines of 1,000 points, half of them sines and half random walks of full precision, which is the worst case: digits that
nothing repeats. CPU time of the server, and bytes on the way to each page, from the first connection until all have everything:
*first* with a server that has encoded and compressed nothing yet, *again* right after that. *One update* is the CPU time for one
text window of 2 KB, until every client has it, with 60 ms in between.

The clients do as little as they can: they take frames apart, decompress, look for marks and acknowledge.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from .fanout import PACE_S, publish
from .support.measure import Bench, Samples
from .support.messages import Message, line, made_by, marked
from .support.result import Bars, Result, Table, Target, ms, number, times
from .support.servers import Server
from .support.swarm import Swarm

CLIENTS = 100
POINTS = 1_000
DIALECTS: dict[str, Literal["ours", "deflate"]] = {"plain": "ours", "compressed": "deflate"}
UPDATES = 20


def run(bench: Bench) -> Result:
    clients, windows = (30, 40) if bench.quick else (CLIENTS, 200)
    samples = Samples()
    content = [plot(window) for window in range(windows)]
    for _ in bench.rounds(3, quick=1):
        for name, dialect in DIALECTS.items():
            with Server("ours") as server, Swarm(server, dialect) as loaded, Swarm(server, dialect) as swarm:
                # The first connection loads code.
                loaded.connect(1)
                for message in content:
                    message.post(server)
                marked(0, 1, 100).post(server)
                for what in ("first", "again"):
                    received = swarm.await_current({})["bytes"]
                    began = server.cpu_s()
                    swarm.connect(clients)
                    after = swarm.await_current({"00": 1})
                    samples.add(server.cpu_s() - began, what, name)
                    samples.add((after["bytes"] - received) / clients, "bytes", name)
                publish(server, swarm, 10, 10, 0)
                samples.add(publish(server, swarm, 20, UPDATES, PACE_S)[0], "update", name)
    ratio = {
        what: samples.median(what, "compressed") / samples.median(what, "plain") for what in ("first", "again", "bytes", "update")
    }
    rows = [
        [
            name,
            ms(samples.median("first", name)),
            ms(samples.median("again", name)),
            f"{number(samples.median('bytes', name) / 1000)} kB",
            ms(samples.median("update", name)),
        ]
        for name in DIALECTS
    ]
    rows.append(["compressed / plain", *(times(ratio[what]) for what in ("first", "again", "bytes", "update"))])
    heads = [f"{clients} pages open {windows} lines", "CPU, first", "CPU, again", "bytes to each", f"one update to {2 * clients}"]
    return Result(
        tables=[Table(heads, rows)],
        targets=[
            Target("CPU for simultaneous opens, compressed against plain", ratio["first"], 1.1, "x"),
            Target("bytes of a snapshot of plots, compressed against plain", ratio["bytes"], 0.45, "x"),
            Target("CPU for an update to all, compressed against plain", ratio["update"], 1.1, "x"),
        ],
        chart=Bars(
            f"{clients} pages open at once",
            "server CPU, s",
            {name: samples.median("first", name) for name in DIALECTS},
        ),
    )


def plot(window: int) -> Message:
    if window % 2:
        return line(f"line{window:03d}", POINTS)
    walk = np.random.default_rng(window).normal(size=POINTS).cumsum()
    return made_by("line", X=np.arange(POINTS, dtype=float), Y=walk, win=f"line{window:03d}")
